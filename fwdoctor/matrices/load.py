"""The only reader of the compatibility matrices.

What judging asks for comes from one packed file, in a quarter of the time; a file that
changed since it was packed is read itself, as is every file of a folder without a
packed one. A missing, damaged or foreign file raises MatrixError naming file and field.
Nothing is cached beyond the `Matrices` object.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import MatrixError
from fwdoctor.matrices import typed
from fwdoctor.matrices.packed import Packed, read_object
from fwdoctor.matrices.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fwdoctor.model.matrix import (
        Architecture,
        CudaToolkit,
        CudnnRelease,
        DriverBranch,
        ErrorCode,
        GpuModel,
        Pair,
        Release,
    )
    from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

FRAMEWORKS = ("torch", "tensorflow")
TABLES: Mapping[str, Callable[[Record], Any]] = {
    "cuda/toolkits.json": typed.read_toolkit,
    "cudnn/releases.json": typed.read_cudnn,
    "nvidia/architectures.json": typed.read_architecture,
    "nvidia/codes.json": typed.read_code,
    "nvidia/drivers.json": typed.read_branch,
    "nvidia/gpus.json": typed.read_gpu,
    "pairs/conda-forge.json": typed.read_pair,
    "pairs/pypi.json": typed.read_pair,
}


def find_matrices_folder() -> Path:
    """The data: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_data" / "matrices", package.parent / "matrices"):
        if folder.is_dir():
            return folder
    raise MatrixError(
        "matrices-missing",
        f"no compatibility matrices beside {package}",
        hint="reinstall fwdoctor",
    )


def sort_names(names: Iterable[str], folder: Path) -> tuple[str, ...]:
    """File names of a framework's releases, oldest first."""
    from packaging.version import InvalidVersion, Version

    try:
        return tuple(sorted(names, key=lambda n: Version(n.removesuffix(".json"))))
    except InvalidVersion as error:
        raise MatrixError("matrix-foreign", f"{folder}: {error}") from error


class Matrices:
    """Compatibility data of one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else find_matrices_folder()
        self._root = str(self.folder)
        self._packed = Packed(self._root)
        self._files: dict[str, Any] = {}
        self._tables: dict[str, Any] = {}

    def raw(self, name: str) -> dict[str, Any]:
        """The JSON object of the file `name`, e.g. "torch/2.9.1.json"."""
        if name not in self._files:
            self._files[name] = read_object(self._path(name))
        data: dict[str, Any] = self._files[name]
        return data

    def _path(self, name: str) -> str:
        return f"{self._root}{os.sep}{name}"

    def _table(self, name: str) -> Sequence[Any]:
        """Every record of a `{"records": […]}` file."""
        if name not in self._tables:
            record = self._packed.find(name)
            record = record or Record(self._path(name), "", self.raw(name))
            self._tables[name] = record.rows("records", TABLES[name])
        table: Sequence[Any] = self._tables[name]
        return table

    # Frameworks

    def versions(self, framework: str) -> tuple[str, ...]:
        """Release versions with a file, oldest first."""
        key = f"{framework}/"
        if key not in self._tables:
            folder = self.folder / framework
            names = {n for n in _list_folder(folder) if n.endswith(".json")}
            packed = self._packed.list_folder(framework)  # in order
            known = packed if names == set(packed) else sort_names(names, folder)
            self._tables[key] = tuple(name.removesuffix(".json") for name in known)
        versions: tuple[str, ...] = self._tables[key]
        return versions

    def find_release(self, framework: str, version: str) -> Release | None:
        """The record of one release, or None when it is not in our data."""
        name = f"{framework}/{version}.json"
        if name not in self._tables:
            record = self._packed.find(name)
            if record is None:
                if os.sep in version or not os.path.isfile(self._path(name)):
                    return None
                record = Record(self._path(name), "", self.raw(name))
            self._tables[name] = typed.read_release(record)
        release: Release = self._tables[name]
        return release

    def releases(self, framework: str) -> tuple[Release, ...]:
        """Every release of the framework, oldest first."""
        found = (self.find_release(framework, v) for v in self.versions(framework))
        return tuple(release for release in found if release is not None)

    def pairs(self) -> Sequence[Pair]:
        """Measured pairs of PyTorch and TensorFlow releases on PyPI."""
        return self._table("pairs/pypi.json")

    def conda_pairs(self) -> Sequence[Pair]:
        """Pairs of conda-forge's builds, by the pins of their recipes."""
        return self._table("pairs/conda-forge.json")

    # NVIDIA

    def toolkits(self) -> Sequence[CudaToolkit]:
        """CUDA toolkit lines, oldest first."""
        return self._table("cuda/toolkits.json")

    def find_toolkit(self, cuda: CudaVersion) -> CudaToolkit | None:
        """The toolkit line of this CUDA version."""
        return next((t for t in self.toolkits() if t.version == cuda), None)

    def driver_branches(self) -> Sequence[DriverBranch]:
        """Driver branches, oldest first."""
        return self._table("nvidia/drivers.json")

    def find_driver_branch(
        self, version: DriverVersion, *, os_name: str = "linux"
    ) -> DriverBranch | None:
        """The branch a driver belongs to; Windows numbers map through their branch."""
        for branch in self.driver_branches():
            numbers = (branch.branch, *branch.windows_branches)
            known = numbers if os_name == "windows" else (branch.branch,)
            if version.branch in known:
                return branch
        return None

    def architectures(self) -> Sequence[Architecture]:
        """Compute capabilities, oldest first."""
        return self._table("nvidia/architectures.json")

    def find_architecture(self, cc: ComputeCapability) -> Architecture | None:
        """The record of one compute capability."""
        return next(
            (a for a in self.architectures() if a.compute_capability == cc), None
        )

    def gpus(self) -> Sequence[GpuModel]:
        """GPU product names."""
        return self._table("nvidia/gpus.json")

    def find_gpu(self, name: str) -> GpuModel | None:
        """The GPU with this name or alias; case and vendor words do not matter.

        A slice of a GPU ("A100-SXM4-40GB MIG 1g.5gb", "GRID A100-10C") is its GPU.
        """
        if "gpu-names" not in self._tables:
            self._tables["gpu-names"] = {
                _plain_gpu_name(known): gpu
                for gpu in self.gpus()
                for known in (*gpu.aliases, gpu.name)
            }
        known: dict[str, GpuModel] = self._tables["gpu-names"]
        plain = (_plain_gpu_name(text) for text in _gpu_names(name))
        return next((known[text] for text in plain if text in known), None)

    def find_typed_gpu(self, text: str) -> GpuModel | None:
        """The GPU a person means: also a GeForce by its number, "4090" or "1080 Ti".

        Not for texts that somebody pasted, which are full of numbers.
        """
        found = self.find_gpu(text)
        if found is not None or not _NUMBER.fullmatch(text.strip().lower()):
            return found
        models = (self.find_gpu(f"{series} {text}") for series in ("RTX", "GTX"))
        return next((m for m in models if m and m.segment == "geforce"), None)

    def find_gpu_by_device_id(self, device_id: str) -> GpuModel | None:
        """The GPU with this PCI device id (four hex digits)."""
        wanted = device_id.lower().removeprefix("0x")
        return next((g for g in self.gpus() if wanted in g.pci_device_ids), None)

    def cudnn_releases(self) -> Sequence[CudnnRelease]:
        """CuDNN release lines, oldest first."""
        return self._table("cudnn/releases.json")

    def find_cudnn(self, version: str) -> CudnnRelease | None:
        """The release line "X.Y" that a cuDNN version belongs to."""
        line = ".".join(version.split(".")[:2])
        return next((c for c in self.cudnn_releases() if c.version == line), None)

    def codes(self) -> Sequence[ErrorCode]:
        """NVML, CUDA and Xid codes."""
        return self._table("nvidia/codes.json")

    def find_code(self, family: str, code: int) -> ErrorCode | None:
        """The meaning of one code."""
        wanted = (family, code)
        return next((c for c in self.codes() if (c.family, c.code) == wanted), None)


def _list_folder(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return ()
    except OSError as error:
        reason = error.strerror or error
        raise MatrixError("matrix-unreadable", f"{folder}: {reason}") from error


_MIG = re.compile(r"\s+MIG\s+\d+[cg]\..*$", re.IGNORECASE)
_VGPU = re.compile(  # "GRID A100D-1-10C", "NVIDIA L40S-48Q"
    r"(?:(?:GRID|NVIDIA)\s+)?(?P<board>\S+?)(?:-\d)?-\d{1,3}[ABCQ](?:ME)?",
    re.IGNORECASE,
)
_BOARD_FORM = re.compile(r"(?<=\d)(?:D|P|S|X[LMS]?|L)$", re.IGNORECASE)  # A100D, H100XM
_EXTENT = re.compile(r"\s+(?:\d{1,3} ?GB|lite hash rate)$", re.IGNORECASE)


def _gpu_names(name: str) -> Iterator[str]:
    """The name as given, then what it is a part or a version of."""
    yield name
    name = _MIG.sub("", name.strip())
    yield name
    vgpu = _VGPU.fullmatch(name)
    if vgpu:
        yield vgpu["board"]
        yield _BOARD_FORM.sub("", vgpu["board"])
    elif _EXTENT.search(name):
        yield _EXTENT.sub("", name)


_NUMBER = re.compile(r"\d{3,4} ?(ti|super)?( super)?")
_VENDOR_WORDS = ("nvidia", "geforce", "graphics", "gpu", "tesla", "quadro")


def _plain_gpu_name(name: str) -> str:
    words = name.lower().replace("-", " ").replace("(tm)", "").split()
    kept = [word for word in words if word not in _VENDOR_WORDS]
    return "".join(kept)
