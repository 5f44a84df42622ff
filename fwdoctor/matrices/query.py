"""Answers out of the matrices, as plain objects ready for JSON or a table.

Every answer carries its sources. A name that is not in the data is a UsageError with
close suggestions; deciding what runs on what stays in `compat`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from fwdoctor.errors import MatrixError, UsageError
from fwdoctor.matrices import spellings
from fwdoctor.matrices.answers import (
    LATEST,
    find_version,
    not_here,
    read_source,
    text_or_none,
    texts,
    unknown_version,
    without_facts,
)
from fwdoctor.matrices.overview import data_date
from fwdoctor.matrices.query_pairs import pairs_of_release
from fwdoctor.matrices.table_rows import (
    find_compat_packages,
    find_rows,
    find_sources,
    whole_record,
)
from fwdoctor.versions import CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fwdoctor.matrices.answers import Answer
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.matrices.record import Record
    from fwdoctor.model.matrix import DriverBranch, GpuModel, Variant

GPU_EXTRA = "and-cuda"
_OS_NAMES = ("linux", "windows")
_SHOWN = 4  # names that may have been meant


# Releases of the frameworks


def find_release(matrices: Matrices, framework: str, version: str) -> Answer:
    """Everything known about one release of torch or tensorflow.

    A line such as "2.5" is its newest final release, "latest" the newest of all.
    """
    known = matrices.versions(framework)
    wanted = spellings.release_version(version)
    found = find_version(wanted, known)
    if found is None:
        raise unknown_version(f"{framework} {version}", wanted, known)
    answer = _release(matrices, framework, found)
    pairs, sources = pairs_of_release(matrices, framework, found)
    answer = {**answer, "pairs": pairs, "sources": [*answer["sources"], *sources]}
    if framework != "tensorflow":
        return answer
    siblings = whole_record(matrices, "tensorflow-siblings.json").get("records", list)
    return {**answer, "siblings": siblings or []}


def list_releases(matrices: Matrices, framework: str) -> list[Answer]:
    """Every release of a framework, newest first."""
    found = reversed(matrices.versions(framework))
    return [_release(matrices, framework, version) for version in found]


def _release(matrices: Matrices, framework: str, version: str) -> Answer:
    file = whole_record(matrices, f"{framework}/{version}.json")
    release = matrices.find_release(framework, version)
    if release is None or (release.framework, release.version) != (framework, version):
        path = matrices.folder / framework / f"{version}.json"
        raise MatrixError("matrix-foreign", f"{path}: field version: not {version}")
    authored, whole = file.inner("authored"), file.with_authored()
    companions, extras = whole.inner("companions"), whole.inner("extras")
    pins = extras.mapping(GPU_EXTRA)
    return {
        "framework": release.framework,
        "version": release.version,
        "released": release.released,
        "prerelease": release.prerelease,
        "yanked": release.yanked,
        "python": list(release.python),
        "python_free_threaded": list(release.python_free_threaded),
        "variants": [
            _build(matrices, row, framework, pins) for row in release.variants
        ],
        "companions": {k: list(companions.one_or_more(k)) for k in companions.data},
        "triton": file.get("triton", dict) or authored.get("triton", dict),
        "numpy": {"spec": list(release.numpy_specs), "numpy2": dict(release.numpy2)},
        "glibc_min": release.glibc_min,
        "glibc_tag": file.get("glibc_tag", str),
        "macos_min": release.macos_min,
        "macos_min_by_platform": dict(file.mapping("macos_min_by_platform")),
        "reuploads": file.get("reuploads", list) or [],
        "tested_build": authored.get("tested_build", dict),
        "requires": dict(release.requires),
        "extras": {name: dict(extras.mapping(name)) for name in extras.data},
        "conda": [_variant(matrices, item) for item in release.conda],
        "sources": _release_sources(file) + _release_sources(authored),
    }


def _release_sources(file: Record) -> list[Answer]:
    """The sources of a release's file, which must say what a reader is shown."""
    return [dict(row) for row in file.rows("sources", read_source)]


def _build(
    matrices: Matrices, variant: Variant, framework: str, pins: Mapping[str, Any]
) -> Answer:
    """A build of a release; pins that stand in its GPU extra are told as such."""
    answer = _variant(matrices, variant)
    if (
        variant.nvidia_pins
        or variant.package != framework
        or not variant.compute_capabilities
        or not pins
    ):
        return answer
    nvidia = {name: pin for name, pin in pins.items() if name.startswith("nvidia-")}
    return {**answer, "nvidia_pins": nvidia, "nvidia_pins_extra": GPU_EXTRA}


def _variant(matrices: Matrices, variant: Variant) -> Answer:
    answer = {
        "package": variant.package,
        "variant": variant.variant,
        "index": variant.index,
        "cuda": text_or_none(variant.cuda),
        "cudnn": variant.cudnn,
        "platforms": list(variant.platforms),
        "python": list(variant.python),
        "compute_capabilities": texts(variant.compute_capabilities),
        "ptx": texts(variant.ptx),
        "min_driver": _least_drivers(matrices, variant.cuda),
        "nvidia_pins": dict(variant.nvidia_pins),
    }
    rarer = {"build": variant.build, "glibc_min": variant.glibc_min}
    return answer | {name: value for name, value in rarer.items() if value}


def _least_drivers(matrices: Matrices, cuda: CudaVersion | None) -> Answer:
    """The floor of the major where there is one, else the toolkit's own driver."""
    toolkit = matrices.find_toolkit(cuda) if cuda else None
    if toolkit is None:
        return {}
    found = {**toolkit.min_driver, **toolkit.minor_version_floor}
    return {name: str(found[name]) for name in sorted(found)}


# Toolkits and cuDNN


def find_cuda(matrices: Matrices, version: str) -> Answer:
    """One CUDA toolkit line, with the drivers it needs."""
    wanted = _line(spellings.cuda_version(version))
    return _toolkit(matrices, _find_row(matrices, "cuda", wanted, f"CUDA {version}"))


def list_cuda(matrices: Matrices) -> list[Answer]:
    """Every CUDA toolkit line, newest first."""
    return [_toolkit(matrices, row) for row in reversed(find_rows(matrices, "cuda"))]


def _toolkit(matrices: Matrices, row: Answer) -> Answer:
    least = _least_drivers(matrices, CudaVersion.parse(row["version"]))
    answer = without_facts(row)
    return {
        **answer,
        "least_driver": least,
        "sources": find_sources(matrices, "cuda", row),
    }


def find_cudnn(matrices: Matrices, version: str) -> Answer:
    """One cuDNN line; the third and fourth number of a version do not matter."""
    wanted = _line(spellings.cudnn_version(version))
    row = _find_row(matrices, "cudnn", wanted, f"cuDNN {version}")
    return {**without_facts(row), "sources": find_sources(matrices, "cudnn", row)}


def _line(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _find_row(matrices: Matrices, topic: str, version: str, what: str) -> Answer:
    rows = find_rows(matrices, topic)
    known = [row["version"] for row in rows]
    wanted = known[-1] if known and version.lower() in LATEST else version
    found = next((row for row in rows if row["version"] == wanted), None)
    if found is None:
        raise unknown_version(what, wanted, known)
    return found


def list_cudnn(matrices: Matrices) -> list[Answer]:
    """Every cuDNN line, newest first."""
    rows = reversed(find_rows(matrices, "cudnn"))
    return [
        {**without_facts(r), "sources": find_sources(matrices, "cudnn", r)}
        for r in rows
    ]


# Drivers


def find_driver(matrices: Matrices, version: str) -> Answer:
    """The branch of a driver: a Linux or Windows version, or a branch (550, R550)."""
    text, os_name = spellings.driver_version(version)
    number = text[1:] if text[:1] in ("R", "r") else text
    try:
        driver = DriverVersion.parse(number if "." in number else f"{number}.0")
    except ValueError as error:
        raise UsageError(
            "not-a-driver",
            f"{version!r} is not a driver version",
            hint="give it as nvidia-smi prints it, for example 550.54.14",
        ) from error
    for name in (os_name,) if os_name else _OS_NAMES:
        branch = matrices.find_driver_branch(driver, os_name=name)
        if branch is not None:
            return _driver(matrices, branch, text, name)
    raise _unknown_driver(matrices, version, driver.branch)


def _unknown_driver(matrices: Matrices, version: str, number: int) -> UsageError:
    known = sorted(branch.branch for branch in matrices.driver_branches())
    below = [f"R{branch}" for branch in known if branch < number][-1:]
    above = [f"R{branch}" for branch in known if branch > number][:1]
    ends = f"our data of {data_date(matrices)} end with R{known[-1]}" if known else None
    return not_here(f"driver {version}", [*below, *above] if above else [], ends)


def list_drivers(matrices: Matrices) -> list[Answer]:
    """Every driver branch, newest first."""
    found = reversed(matrices.driver_branches())
    return [_driver(matrices, b, str(b.branch), "linux") for b in found]


def _driver(
    matrices: Matrices, branch: DriverBranch, version: str, os_name: str
) -> Answer:
    row = next(r for r in find_rows(matrices, "driver") if r["branch"] == branch.branch)
    answer = {
        "version": version,
        "os": "jetson" if branch.platform == "jetson" else os_name,
        "branch": branch.branch,
        "cuda": _cuda_of(row, version),
        "kind": branch.kind,
        "end_of_life": branch.end_of_life,
        "architectures": list(branch.architectures),
        "windows_branches": list(branch.windows_branches),
    }
    for field in ("open_modules", "open_modules_required_for", "known"):
        if field in row:
            answer[field] = row[field]
    if branch.platform == "linux" and os_name == "linux":
        answer["forward_compat"] = _compat_packages(matrices, branch.branch)
    return {**answer, "sources": find_sources(matrices, "driver", row)}


def _compat_packages(matrices: Matrices, branch: int) -> list[str]:
    """The cuda-compat packages that run on a driver branch (data-centre GPUs)."""
    rows = find_compat_packages(matrices)
    return [r["package"] for r in rows if branch in r.get("base_branches", ())]


def _cuda_of(row: Answer, version: str) -> str | None:
    for early in row.get("cuda_before", ()):
        if "." in version and _numbers(version) < _numbers(early["driver"]):
            return str(early["cuda"])
    return row.get("cuda")


# GPUs


def find_gpu(matrices: Matrices, name: str) -> Answer:
    """A GPU by name, alias or PCI id, with the toolkits and drivers that support it."""
    gpu = _find_gpu(matrices, name)
    if gpu is None:
        raise not_here(f"GPU {name}", _alike(matrices, name), None)
    return _gpu(matrices, gpu, find_rows(matrices, "gpu")[matrices.gpus().index(gpu)])


def _find_gpu(matrices: Matrices, name: str) -> GpuModel | None:
    device_id = spellings.pci_device_id(name)
    if device_id is not None:
        return matrices.find_gpu_by_device_id(device_id)
    plain = spellings.gpu_name(name)
    found = matrices.find_typed_gpu(name) or matrices.find_typed_gpu(plain)
    if found is None and plain[:1].isdigit() and plain.endswith("Laptop GPU"):
        found = matrices.find_gpu(f"RTX {plain}") or matrices.find_gpu(f"GTX {plain}")
    return found


def _alike(matrices: Matrices, name: str) -> list[str]:
    """Names that hold all that was written, or its number; else similar ones."""
    target = spellings.compute_capability(name)
    if target is not None:
        found = [m.name for m in matrices.gpus() if str(m.compute_capability) == target]
        return sorted(found, key=len)[:_SHOWN]
    known = {_short(model.name): model.name for model in matrices.gpus()}
    wanted = _short(spellings.gpu_name(name))
    words = set(wanted.split())
    numbers = {word for word in words if any(map(str.isdigit, word))}
    holding = [full for short, full in known.items() if all(w in short for w in words)]
    holding = holding or [
        full
        for short, full in known.items()
        if numbers.intersection(short.replace("-", " ").split())
    ]
    if holding:
        return sorted(holding, key=len)[:_SHOWN]
    close = difflib.get_close_matches(wanted, known, n=_SHOWN, cutoff=0.7)
    return [known[short] for short in close]


def list_gpus(matrices: Matrices) -> list[Answer]:
    """Every GPU name, newest architecture first, then by name."""
    found = [*zip(matrices.gpus(), find_rows(matrices, "gpu"), strict=True)]
    found.sort(key=lambda item: item[0].name.lower())
    found.sort(key=lambda item: item[0].compute_capability, reverse=True)
    return [_gpu(matrices, gpu, row) for gpu, row in found]


def _short(name: str) -> str:
    """A GPU name in lower case without the words all of them share."""
    words = name.lower().split()
    return " ".join(word for word in words if word not in ("nvidia", "geforce"))


def _gpu(matrices: Matrices, gpu: GpuModel, row: Answer) -> Answer:
    device = matrices.find_architecture(gpu.compute_capability)
    return {
        "name": gpu.name,
        "compute_capability": str(gpu.compute_capability),
        "architecture": device.architecture if device else None,
        "first_driver": gpu.first_driver,
        "first_driver_branch": device.first_driver_branch if device else None,
        "last_driver_branch": device.last_driver_branch if device else None,
        "first_cuda": text_or_none(device.first_cuda) if device else None,
        "last_cuda": text_or_none(device.last_cuda) if device else None,
        "segment": gpu.segment,
        "forward_compat": gpu.has_forward_compat,
        "nvswitch": gpu.is_nvswitch_board,
        "aliases": list(gpu.aliases),
        "pci_device_ids": list(gpu.pci_device_ids),
        "sources": find_sources(matrices, "gpu", row),
    }


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
