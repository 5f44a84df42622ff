"""The only reader of the compatibility matrices.

Files are read when first asked for; a missing, damaged or foreign file raises
MatrixError naming file and field. Nothing is cached beyond the `Matrices` object.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from fwdoctor.errors import MatrixError
from fwdoctor.model.matrix import (
    Architecture,
    CudaToolkit,
    CudnnRelease,
    DriverBranch,
    ErrorCode,
    GpuModel,
    Pair,
    Release,
    Variant,
)
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
FRAMEWORKS = ("torch", "tensorflow")


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


class Matrices:
    """Compatibility data of one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else find_matrices_folder()
        self._files: dict[str, Any] = {}
        self._tables: dict[str, Any] = {}

    def raw(self, name: str) -> dict[str, Any]:
        """The JSON object of the file `name`, e.g. "torch/2.9.1.json"."""
        if name not in self._files:
            self._files[name] = self._read(name)
        data: dict[str, Any] = self._files[name]
        return data

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            data = json.loads(path.read_bytes())
        except OSError as error:
            raise MatrixError(
                "matrix-unreadable", f"{path}: {error.strerror or error}"
            ) from error
        except ValueError as error:
            raise MatrixError("matrix-damaged", f"{path}: {error}") from error
        if not isinstance(data, dict):
            raise MatrixError("matrix-foreign", f"{path}: not a JSON object")
        return data

    def _table(self, name: str, make: Callable[[_Record], T]) -> tuple[T, ...]:
        """Every record of a `{"records": […]}` file, built by `make`."""
        if name not in self._tables:
            rows = _Record(self.folder / name, "", self.raw(name)).rows("records")
            self._tables[name] = tuple(make(row) for row in rows)
        table: tuple[T, ...] = self._tables[name]
        return table

    # Frameworks

    def versions(self, framework: str) -> tuple[str, ...]:
        """Release versions with a file, oldest first."""
        key = f"{framework}/"
        if key not in self._tables:
            from packaging.version import InvalidVersion, Version

            try:
                names = os.listdir(self.folder / framework)
                found = [n.removesuffix(".json") for n in names if n.endswith(".json")]
                self._tables[key] = tuple(sorted(found, key=Version))
            except FileNotFoundError:
                self._tables[key] = ()
            except InvalidVersion as error:
                raise MatrixError(
                    "matrix-foreign", f"{self.folder / framework}: {error}"
                ) from error
        versions: tuple[str, ...] = self._tables[key]
        return versions

    def find_release(self, framework: str, version: str) -> Release | None:
        """The record of one release, or None when it is not in our data."""
        name = f"{framework}/{version}.json"
        if name not in self._tables:
            if os.sep in version or not (self.folder / name).is_file():
                return None
            record = _Record(self.folder / name, "", self.raw(name))
            self._tables[name] = _release(record)
        release: Release = self._tables[name]
        return release

    def releases(self, framework: str) -> tuple[Release, ...]:
        """Every release of the framework, oldest first."""
        found = (self.find_release(framework, v) for v in self.versions(framework))
        return tuple(release for release in found if release is not None)

    def pairs(self) -> tuple[Pair, ...]:
        """Measured pairs of PyTorch and TensorFlow releases on PyPI."""
        return self._table("pairs/pypi.json", _pair)

    # NVIDIA

    def toolkits(self) -> tuple[CudaToolkit, ...]:
        """CUDA toolkit lines, oldest first."""
        return self._table("cuda/toolkits.json", _toolkit)

    def find_toolkit(self, cuda: CudaVersion) -> CudaToolkit | None:
        """The toolkit line of this CUDA version."""
        return next((t for t in self.toolkits() if t.version == cuda), None)

    def driver_branches(self) -> tuple[DriverBranch, ...]:
        """Driver branches, oldest first."""
        return self._table("nvidia/drivers.json", _branch)

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

    def architectures(self) -> tuple[Architecture, ...]:
        """Compute capabilities, oldest first."""
        return self._table("nvidia/architectures.json", _architecture)

    def find_architecture(self, cc: ComputeCapability) -> Architecture | None:
        """The record of one compute capability."""
        return next(
            (a for a in self.architectures() if a.compute_capability == cc), None
        )

    def gpus(self) -> tuple[GpuModel, ...]:
        """GPU product names."""
        return self._table("nvidia/gpus.json", _gpu)

    def find_gpu(self, name: str) -> GpuModel | None:
        """The GPU with this name or alias; case and vendor words do not matter."""
        if "gpu-names" not in self._tables:
            self._tables["gpu-names"] = {
                _plain_gpu_name(known): gpu
                for gpu in self.gpus()
                for known in (*gpu.aliases, gpu.name)
            }
        found: GpuModel | None = self._tables["gpu-names"].get(_plain_gpu_name(name))
        return found

    def find_gpu_by_device_id(self, device_id: str) -> GpuModel | None:
        """The GPU with this PCI device id (four hex digits)."""
        wanted = device_id.lower().removeprefix("0x")
        return next((g for g in self.gpus() if wanted in g.pci_device_ids), None)

    def cudnn_releases(self) -> tuple[CudnnRelease, ...]:
        """CuDNN release lines, oldest first."""
        return self._table("cudnn/releases.json", _cudnn)

    def find_cudnn(self, version: str) -> CudnnRelease | None:
        """The release line "X.Y" that a cuDNN version belongs to."""
        line = ".".join(version.split(".")[:2])
        return next((c for c in self.cudnn_releases() if c.version == line), None)

    def find_code(self, family: str, code: int) -> ErrorCode | None:
        """The meaning of an NVML, CUDA or Xid code."""
        codes = self._table("nvidia/codes.json", _code)
        return next((c for c in codes if (c.family, c.code) == (family, code)), None)


_VENDOR_WORDS = ("nvidia", "geforce", "graphics", "gpu", "tesla", "quadro")


def _plain_gpu_name(name: str) -> str:
    words = name.lower().replace("-", " ").replace("(tm)", "").split()
    kept = [word for word in words if word not in _VENDOR_WORDS]
    return "".join(kept)


class _Record:
    """One JSON object being read; errors name the file and the field."""

    def __init__(self, path: Path, where: str, data: Any) -> None:
        self._path = path
        self._where = where
        if not isinstance(data, dict):
            raise MatrixError("matrix-foreign", f"{path}: {where or 'file'}: no object")
        self._data = data

    def _fail(self, field: str, problem: str) -> MatrixError:
        name = f"{self._where}.{field}" if self._where else field
        return MatrixError("matrix-damaged", f"{self._path}: field {name}: {problem}")

    def get(self, field: str, kind: type[T], *, required: bool = False) -> T | None:
        """The value of this type; None when absent or null."""
        value = self._data.get(field)
        if value is None:
            if required:
                raise self._fail(field, "missing")
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self._fail(field, f"{type(value).__name__}, not {kind.__name__}")
        return value

    def text(self, field: str) -> str:
        """A required string."""
        return self.get(field, str, required=True) or ""

    def texts(self, field: str) -> tuple[str, ...]:
        """A list of strings; empty when absent."""
        values = self.get(field, list) or []
        if not all(isinstance(value, str) for value in values):
            raise self._fail(field, "not all strings")
        return tuple(values)

    def one_or_more(self, field: str) -> tuple[str, ...]:
        """A string or a list of strings; empty when absent."""
        if isinstance(self._data.get(field), str):
            return (self.text(field),)
        return self.texts(field)

    def numbers(self, field: str) -> tuple[int, ...]:
        """A list of integers; empty when absent."""
        values = self.get(field, list) or []
        if not all(isinstance(value, int) for value in values):
            raise self._fail(field, "not all integers")
        return tuple(values)

    def mapping(self, field: str) -> Mapping[str, Any]:
        """An object; empty when absent."""
        return self.get(field, dict) or {}

    def parsed(self, field: str, parse: Callable[[str], T]) -> T | None:
        """A string run through `parse`; None when absent."""
        text = self.get(field, str)
        return None if text is None else self._parse(field, parse, text)

    def needed(self, field: str, parse: Callable[[str], T]) -> T:
        """A required string run through `parse`."""
        return self._parse(field, parse, self.text(field))

    def parsed_list(self, field: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Strings run through `parse`."""
        return tuple(self._parse(field, parse, text) for text in self.texts(field))

    def parsed_values(self, field: str, parse: Callable[[str], T]) -> dict[str, T]:
        """An object of strings, each run through `parse`."""
        return {
            key: self._parse(f"{field}.{key}", parse, text)
            for key, text in self.mapping(field).items()
        }

    def _parse(self, field: str, parse: Callable[[str], T], text: Any) -> T:
        try:
            return parse(text)
        except (ValueError, AttributeError) as error:
            raise self._fail(field, str(error)) from error

    def rows(self, field: str) -> list[_Record]:
        """A list of objects; empty when absent."""
        values = self.get(field, list) or []
        make = functools.partial(_Record, self._path)
        return [make(f"{field}[{i}]", value) for i, value in enumerate(values)]

    def inner(self, field: str) -> _Record:
        """An object as a record; an empty one when absent."""
        return _Record(self._path, field, self.mapping(field))

    def with_authored(self) -> _Record:
        """The same record with hand-written facts where the measured part has none."""
        authored = self.mapping("authored")
        if not authored:
            return self
        return _Record(self._path, self._where, _merged(self._data, authored))


def _merged(measured: Mapping[str, Any], authored: Mapping[str, Any]) -> dict[str, Any]:
    """Measured values win; lists of rows are joined; objects are merged."""
    result = dict(measured)
    for key, value in authored.items():
        present = result.get(key)
        if present is None:
            result[key] = value
        elif isinstance(present, list) and isinstance(value, list):
            result[key] = [*present, *(row for row in value if row not in present)]
        elif isinstance(present, dict) and isinstance(value, dict):
            result[key] = _merged(present, value)
    return result


# The same few dozen texts stand in every file: each is parsed once.
_capability = functools.cache(ComputeCapability.parse)
_cuda = functools.cache(CudaVersion.parse)
_driver = DriverVersion.parse


def _variant(row: _Record) -> Variant:
    return Variant(
        package=row.text("package"),
        variant=row.get("variant", str) or ("cpu" if not row.get("cuda", str) else ""),
        index=row.get("index", str) or row.get("channel", str) or "",
        cuda=row.parsed("cuda", _cuda),
        cudnn=row.get("cudnn", str),
        platforms=row.texts("platforms"),
        python=row.texts("python"),
        compute_capabilities=row.parsed_list("compute_capabilities", _capability),
        ptx=row.parsed_list("ptx", _capability),
        kernel_ptx=row.parsed_list("generated_kernel_ptx", _capability) or None,
        nvidia_pins=row.mapping("nvidia_pins"),
        build=row.get("build", str),
    )


def _companions(record: _Record) -> dict[str, tuple[str, ...]]:
    found = record.mapping("companions")
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in found.items()
        if value
    }


def _release(measured: _Record) -> Release:
    record = measured.with_authored()
    numpy = record.inner("numpy")
    return Release(
        framework=record.text("framework"),
        version=record.text("version"),
        released=record.get("released", str),
        prerelease=record.get("prerelease", bool) or False,
        yanked=record.get("yanked", str),
        python=record.texts("python"),
        python_free_threaded=record.texts("python_free_threaded"),
        glibc_min=record.get("glibc_min", str),
        macos_min=record.get("macos_min", str),
        numpy_specs=numpy.one_or_more("spec"),
        numpy2=numpy.mapping("numpy2"),
        requires=record.mapping("requires"),
        extras=record.mapping("extras"),
        companions=_companions(record),
        variants=tuple(_variant(row) for row in record.rows("variants")),
        conda=tuple(_variant(row) for row in record.rows("conda")),
        runpath_lacks=record.inner("loader").texts("runpath_lacks"),
    )


def _pair(row: _Record) -> Pair:
    return Pair(
        torch=row.text("torch"),
        tensorflow=row.text("tensorflow"),
        outcome=row.text("outcome"),
        extra=row.get("extra", str),
        python=row.texts("python"),
        platform=row.get("platform", str),
        colliding=row.texts("colliding"),
    )


def _toolkit(row: _Record) -> CudaToolkit:
    return CudaToolkit(
        version=row.needed("version", _cuda),
        min_driver=row.parsed_values("min_driver", _driver),
        minor_version_floor=row.parsed_values("minor_version_floor", _driver),
        sass=row.parsed_list("sass", _capability),
        ptx_isa=row.get("ptx_isa", str),
    )


def _branch(row: _Record) -> DriverBranch:
    return DriverBranch(
        branch=row.get("branch", int, required=True) or 0,
        cuda=row.parsed("cuda", _cuda),
        kind=row.get("kind", str),
        end_of_life=row.get("end_of_life", str),
        windows_branches=row.numbers("windows_branches"),
        platform=row.get("platform", str) or "linux",
        architectures=row.texts("architectures"),
        open_modules=row.get("open_modules", str),
    )


def _architecture(row: _Record) -> Architecture:
    return Architecture(
        compute_capability=row.needed("compute_capability", _capability),
        architecture=row.text("architecture"),
        first_cuda=row.parsed("first_cuda", _cuda),
        last_cuda=row.parsed("last_cuda", _cuda),
        first_driver_branch=row.get("first_driver_branch", int),
        last_driver_branch=row.get("last_driver_branch", int),
        is_tegra=row.get("tegra", bool) or False,
        rejects_cubins_of=row.parsed_list("rejects_cubins_of", _capability),
        rejects_until_cuda=row.parsed("rejects_until_cuda", _cuda),
        open_modules=row.get("open_modules", str),
    )


def _gpu(row: _Record) -> GpuModel:
    return GpuModel(
        name=row.text("name"),
        compute_capability=row.needed("compute_capability", _capability),
        aliases=row.texts("aliases"),
        pci_device_ids=row.texts("pci_device_ids"),
        segment=row.get("segment", str),
        first_driver=row.get("first_driver", str),
        is_nvswitch_board=row.get("nvswitch", bool) or False,
        has_forward_compat=row.get("forward_compat", bool),
    )


def _cudnn(row: _Record) -> CudnnRelease:
    return CudnnRelease(
        version=row.text("version"),
        first=row.get("first", str),
        cuda_majors=row.numbers("cuda_majors"),
        compute_capabilities=row.parsed_list("compute_capabilities", _capability),
    )


def _code(row: _Record) -> ErrorCode:
    return ErrorCode(
        family=row.text("family"),
        code=row.get("code", int, required=True) or 0,
        name=row.text("name"),
        meaning=row.text("meaning"),
        cause=row.get("cause", str),
        is_hardware=row.get("hardware", bool),
    )
