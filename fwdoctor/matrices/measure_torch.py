"""Measuring one PyTorch release from the wheels on PyPI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor.matrices.fat_binaries import FatBinaryCode, iter_fat_binaries, own_code
from fwdoctor.matrices.measure_requirements import (
    read_all_requirements,
    read_requirements,
)
from fwdoctor.matrices.measurement import (
    Json,
    Measurement,
    Options,
    cuda_facts,
    describe_files,
    dotted_capability,
    newest_wheel,
    pythons_on,
    row_name,
    sort_capabilities,
)
from fwdoctor.matrices.requirements_of import (
    gpu_extras,
    normal_name,
    pins_on,
    spec_of,
    spec_text,
    specs_by_name,
    split_extras,
)
from fwdoctor.matrices.wheel_names import LINUX, PLATFORMS
from fwdoctor.matrices.wheel_reader import RemoteWheel, glibc_floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement
    from packaging.version import Version

    from fwdoctor.matrices.wheel_names import WheelName

NVIDIA_NAME = re.compile(r"nvidia-.*|cuda-(?:toolkit|bindings)|nvidia_.*")
TRITON_NAMES = frozenset({"triton", "pytorch-triton"})
PYTHON_LIBRARY = r"torch/lib/(?:libtorch_python\.(?:so|dylib)|torch_python\.dll)"
GPU_LIBRARY = r"torch/lib/(?:libcaffe2_gpu|libtorch|libtorch_cuda\w*)\.so"
SYMBOL_LIBRARIES = (
    r"torch/lib/libtorch_python\.so",
    r"torch/lib/libc10\.so",
    r"torch/lib/libshm\.so",
    r"torch/lib/libgomp\b.*\.so(?:\..*)?",
)
FAT_BINARIES_ENOUGH = 60
_ARCH_FLAGS = r"((?:(?:sm|compute)_\d+[af]?[ ;])+(?:sm|compute)_\d+[af]?)"
_NUMPY2 = r"numpy\._core"
_ASSIGNMENT = r"^{}\s*(?::[^=]*)?=\s*'([^']*)'"


def measure_torch(
    version: Version, wheels: tuple[WheelName, ...], options: Options
) -> Measurement:
    """Return every fact the wheels of a release give."""
    measurement = describe_files("torch", version, wheels)
    numpy2: dict[str, bool] = {}
    rows: list[Json] = []
    for platform in PLATFORMS:
        chosen = newest_wheel(wheels, platform)
        if chosen is None:
            continue
        options.say(f"torch {version}: {chosen.file.filename}")
        wheel = RemoteWheel(chosen.file.url)
        row = _read_row(wheel, chosen, pythons_on(wheels, platform))
        rows.append(row)
        fields = _read_numpy2(wheel, chosen, numpy2)
        if platform == LINUX:
            fields += _read_linux_facts(wheel, chosen, wheels, measurement)
        measurement.add_wheel(chosen, row, fields)
        if row["cuda"] and options.walk_fat_binaries:
            _walk_fat_binaries(wheel, row, measurement, options)
    measurement.close(f"PyPI wheels of torch {version}, the newest Python of each")
    measurement.facts["numpy"] = {
        "spec": measurement.facts.pop("numpy_spec", None),
        "numpy2": numpy2,
    }
    measurement.facts["variants"] = rows
    return measurement


def read_cuda_version(version_py: str) -> str | None:
    """Return `torch.version.cuda` from the text of torch/version.py."""
    return _assigned("cuda", version_py)


def _read_row(wheel: RemoteWheel, chosen: WheelName, pythons: list[str]) -> Json:
    version_py = wheel.read_text("torch/version.py")
    cuda = read_cuda_version(version_py)
    row: Json = {
        "package": "torch",
        "variant": "cpu",
        "index": "pypi",
        "platforms": [chosen.platform],
        "python": pythons,
        "cuda": None,
    }
    if cuda:
        row |= cuda_facts(cuda)
        base, _ = split_extras(read_requirements(wheel))
        row |= _nvidia_facts(base, chosen.platform, pythons)
        row |= _listed_code(wheel)
    return row


def _nvidia_facts(
    requirements: Iterable[Requirement], platform: str, pythons: list[str]
) -> Json:
    nvidia = [
        item for item in requirements if NVIDIA_NAME.fullmatch(normal_name(item.name))
    ]
    pins = pins_on(nvidia, platform, pythons)
    if not pins:
        return {}
    facts: Json = {"nvidia_pins": pins}
    for name, spec in pins.items():
        if re.fullmatch(r"nvidia-cudnn-cu\d+", name) and spec.startswith("=="):
            facts["cudnn"] = spec[2:]
    return facts


def _listed_code(wheel: RemoteWheel) -> Json:
    """Return what `torch.cuda.get_arch_list()` would say; old wheels have no list."""
    library = wheel.find_member(PYTHON_LIBRARY)
    found = wheel.find_strings(library, _ARCH_FLAGS) if library else set()
    flags = re.split(r"[ ;]", max(found, key=len, default=""))
    listed = [flag[3:] for flag in flags if flag.startswith("sm_")]
    if not listed:
        return {}
    return {"compute_capabilities": sort_capabilities(map(dotted_capability, listed))}


def _walk_fat_binaries(
    wheel: RemoteWheel, row: Json, measurement: Measurement, options: Options
) -> None:
    """Add PTX, and machine code where the wheel has no list of its own."""
    member = wheel.find_member(GPU_LIBRARY)
    if member is None:
        return
    options.say(f"    fat binaries of {member}")
    is_listed = "compute_capabilities" in row
    found = iter_fat_binaries(wheel.iter_chunks(member, overlap_bytes=0))
    code = own_code(_first(found, FAT_BINARIES_ENOUGH if is_listed else None))
    if code is None:
        return
    walked = {"ptx": sort_capabilities(map(dotted_capability, code.ptx))}
    if not is_listed:
        machine_code = map(dotted_capability, code.machine_code)
        walked["compute_capabilities"] = sort_capabilities(machine_code)
    row |= walked
    measurement.add_source(
        f"PyPI wheel {wheel.filename}: fat binaries of {member}",
        [f"variants[{row_name(row)}].{key}" for key in walked],
    )


def _read_numpy2(
    wheel: RemoteWheel, chosen: WheelName, numpy2: dict[str, bool]
) -> list[str]:
    """Note whether this platform's build knows NumPy 2; return the fields noted."""
    library = wheel.find_member(PYTHON_LIBRARY)
    system = chosen.platform.split("-", maxsplit=1)[0]
    if not library or system in numpy2:
        return []
    numpy2[system] = bool(wheel.find_strings(library, _NUMPY2))
    return [f"numpy.numpy2.{system}"]


def _read_linux_facts(
    wheel: RemoteWheel,
    chosen: WheelName,
    wheels: Iterable[WheelName],
    measurement: Measurement,
) -> list[str]:
    """Add the facts that only the Linux wheels are asked for; return their names."""
    asked = read_all_requirements(wheel, chosen, wheels, measurement)
    base, extras = split_extras(asked)
    facts = measurement.facts
    facts["glibc_min"] = glibc_floor(wheel, SYMBOL_LIBRARIES)
    facts["triton"] = _triton(base)
    facts["requires"] = specs_by_name(
        item for item in base if not _is_gpu_requirement(item)
    )
    facts["extras"] = gpu_extras(extras)
    facts["numpy_spec"] = spec_of(base, "numpy")
    return ["glibc_min", "triton", "requires", "extras", "numpy.spec"]


def _triton(requirements: Iterable[Requirement]) -> Json | None:
    for item in requirements:
        if normal_name(item.name) in TRITON_NAMES:
            spec = spec_text(item)
            return {
                "package": normal_name(item.name),
                "version": re.sub(r"^[=~<>!]+", "", spec),
                "spec": spec,
                "marker": str(item.marker) if item.marker else None,
            }
    return None


def _is_gpu_requirement(item: Requirement) -> bool:
    name = normal_name(item.name)
    return bool(NVIDIA_NAME.fullmatch(name)) or name in TRITON_NAMES


def _assigned(name: str, text: str) -> str | None:
    match = re.search(_ASSIGNMENT.format(name), text, re.MULTILINE)
    return match[1] if match else None


def _first(
    items: Iterable[FatBinaryCode], limit: int | None
) -> Iterator[FatBinaryCode]:
    for number, item in enumerate(items, 1):
        yield item
        if limit is not None and number >= limit:
            return
