"""Import PyTorch and write down what it says: torch_facts.py RESULT-FILE.

Run by the examined interpreter: Python 3.6 syntax, standard library and torch.
"""

import os
import sys

# Windows' embeddable Python leaves a script's own folder out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stages import Stages, cudnn_text, loaded_cudnn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


def version_text(parts: "Any") -> "Optional[str]":
    """A version given as (9, 2, 6) or as an integer."""
    if isinstance(parts, int):
        return cudnn_text(parts)
    return ".".join(str(part) for part in parts) if parts else None


def read_build(stages: Stages, torch: "Any") -> None:
    """What it was built with, and the cuDNN it got."""
    stages.facts["version"] = torch.__version__
    stages.facts["cuda"] = torch.version.cuda
    native = torch._C
    flags = getattr(native, "_cuda_getArchFlags", None)
    text = flags() if flags else None
    stages.facts["architectures"] = text.split() if text else []
    cudnn = getattr(native, "_cudnn", None)
    compiled = getattr(cudnn, "getCompileVersion", None)
    if compiled is not None:
        stages.facts["cudnn_built"] = version_text(compiled())
    try:
        torch.backends.cudnn.version()  # raises where built and loaded do not fit
    except RuntimeError as error:
        stages.facts["is_broken"] = True
        stages.note_error(error)
    stages.facts["cudnn_loaded"] = loaded_cudnn()


def read_devices(stages: Stages, torch: "Any") -> None:
    """Whether CUDA starts; if not, why."""
    available = bool(torch.cuda.is_available())
    stages.facts["gpu_available"] = available
    count = int(torch.cuda.device_count())
    stages.facts["device_count"] = count
    stages.facts["device_names"] = []
    try:
        torch.cuda.init()
        names = [torch.cuda.get_device_name(index) for index in range(count)]
        stages.facts["device_names"] = names
    except (RuntimeError, AssertionError) as error:
        stages.note_error(error)


def main() -> int:
    """Go through the stages; an exception ends them and is written down."""
    stages = Stages(sys.argv[1])
    try:
        stages.begin("import")
        import torch

        stages.begin("build")
        read_build(stages, torch)
        stages.begin("devices")
        read_devices(stages, torch)
        stages.begin("done")
    except BaseException as error:  # noqa: BLE001 - whatever an import can raise
        stages.facts["is_broken"] = True
        stages.note_error(error)
        stages.begin(str(stages.facts["stage"]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
