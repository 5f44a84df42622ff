"""Progress and facts of a child that imports a framework, kept in a file.

Run by the examined interpreter: standard library only, Python 3.6 syntax. The file is
written anew at each stage, so that a crash or a hang leaves the name of its stage.
"""

import ctypes
import json
import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

_NVIDIA = re.compile(
    r"lib(cuda|cudart|cublas|cudnn|cufft|cufile|cupti|curand|cusolver|cusparse|cudss"
    r"|nccl|nv)[^/]*\.so[^/]*$"
)


class Stages:
    """Writes the report; `facts` is filled in by the caller."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.facts = {}  # type: Dict[str, object]
        forbid_core_dump()
        # This folder is on the path only for our own modules.
        ours = os.path.dirname(os.path.abspath(__file__))
        sys.path[:] = [path for path in sys.path if os.path.abspath(path) != ours]
        self.begin("start")

    def begin(self, stage: str) -> None:
        """Say which stage begins now."""
        self.facts["stage"] = stage
        self.facts["libraries"] = mapped_libraries()
        draft = self._path + ".new"
        with open(draft, "w") as stream:
            json.dump(self.facts, stream)
        os.replace(draft, self._path)

    def note_error(self, error: BaseException) -> None:
        """Keep the first error: its type and first line."""
        lines = str(error).strip().splitlines()
        first = lines[0] if lines else ""
        self.facts.setdefault("error", type(error).__name__ + ": " + first[:500])


def forbid_core_dump() -> None:
    """A crash on purpose must not fill the disk."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass


def mapped_libraries() -> "List[str]":
    """NVIDIA libraries in this process, from /proc/self/maps."""
    try:
        with open("/proc/self/maps") as stream:
            lines = stream.read().splitlines()
    except (OSError, ValueError):
        return []
    paths = {line.split(None, 5)[-1] for line in lines if "/" in line}
    return sorted(path for path in paths if _NVIDIA.search(path))


def loaded_cudnn() -> "Optional[str]":
    """The version that the cuDNN in this process gives for itself."""
    for path in mapped_libraries():
        if os.path.basename(path).startswith("libcudnn.so"):
            try:
                ask = ctypes.CDLL(path).cudnnGetVersion
            except (OSError, AttributeError):
                continue
            ask.restype = ctypes.c_size_t
            return cudnn_text(ask())
    return None


def cudnn_text(number: int) -> str:
    """Readable form of cuDNN's integer: 92800 is 9.28.0, 8902 is 8.9.2."""
    step = 10000 if number >= 10000 else 1000
    parts = (number // step, number % step // 100, number % 100)
    return ".".join(str(part) for part in parts)
