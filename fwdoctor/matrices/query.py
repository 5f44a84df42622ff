"""Answers out of the matrices, as plain objects ready for JSON or a table.

Every answer carries its sources. A name that is not in the data is a UsageError with
close suggestions; deciding what runs on what stays in `compat`.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import TYPE_CHECKING, Any

from fwdoctor.errors import MatrixError, UsageError
from fwdoctor.matrices.load import FRAMEWORKS
from fwdoctor.versions import CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import DriverBranch, GpuModel, Release, Variant

Answer = dict[str, Any]
MAX_AGE_DAYS = 90
GPU_EXTRA = "and-cuda"
TABLES = {
    "cuda": "cuda/toolkits.json",
    "cudnn": "cudnn/releases.json",
    "driver": "nvidia/drivers.json",
    "gpu": "nvidia/gpus.json",
}
TOPICS = (*FRAMEWORKS, *TABLES)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_OS_NAMES = ("linux", "windows")


# Releases of the frameworks


def find_release(matrices: Matrices, framework: str, version: str) -> Answer:
    """Everything known about one release of torch or tensorflow."""
    plain = version.partition("+")[0]
    release = matrices.find_release(framework, plain)
    if release is None:
        known = matrices.versions(framework)
        newest = f"the newest in our data is {known[-1]}" if known else None
        raise _unknown(f"{framework} {version}", plain, known, newest)
    answer = _release(matrices, release)
    if framework != "tensorflow":
        return answer
    siblings = matrices.raw("tensorflow-siblings.json").get("records") or []
    return {**answer, "siblings": siblings}


def list_releases(matrices: Matrices, framework: str) -> list[Answer]:
    """Every release of a framework, newest first."""
    found = reversed(matrices.releases(framework))
    return [_release(matrices, release) for release in found]


def _release(matrices: Matrices, release: Release) -> Answer:
    raw = matrices.raw(f"{release.framework}/{release.version}.json")
    authored = raw.get("authored") or {}
    return {
        "framework": release.framework,
        "version": release.version,
        "released": release.released,
        "prerelease": release.prerelease,
        "yanked": release.yanked,
        "python": list(release.python),
        "python_free_threaded": list(release.python_free_threaded),
        "variants": [_build(matrices, release, item) for item in release.variants],
        "companions": {k: list(v) for k, v in release.companions.items()},
        "triton": raw.get("triton") or authored.get("triton"),
        "numpy": {"spec": list(release.numpy_specs), "numpy2": dict(release.numpy2)},
        "glibc_min": release.glibc_min,
        "glibc_tag": raw.get("glibc_tag"),
        "macos_min": release.macos_min,
        "macos_min_by_platform": raw.get("macos_min_by_platform") or {},
        "reuploads": raw.get("reuploads") or [],
        "tested_build": authored.get("tested_build"),
        "requires": dict(release.requires),
        "extras": {name: dict(pins) for name, pins in release.extras.items()},
        "conda": [_variant(matrices, item) for item in release.conda],
        "sources": [*(raw.get("sources") or ()), *(authored.get("sources") or ())],
    }


def _build(matrices: Matrices, release: Release, variant: Variant) -> Answer:
    """A build of the release; pins that stand in its GPU extra are told as such."""
    answer = _variant(matrices, variant)
    pins = release.extras.get(GPU_EXTRA, {})
    if (
        variant.nvidia_pins
        or variant.package != release.framework
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
        "cuda": _text(variant.cuda),
        "cudnn": variant.cudnn,
        "platforms": list(variant.platforms),
        "python": list(variant.python),
        "compute_capabilities": _texts(variant.compute_capabilities),
        "ptx": _texts(variant.ptx),
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
    rows = _rows(matrices, "cuda")
    try:
        wanted = str(CudaVersion.parse(version))
    except ValueError:
        wanted = version
    for row in rows:
        if row["version"] == wanted:
            return _toolkit(matrices, row)
    known = [row["version"] for row in rows]
    newest = f"the newest in our data is {known[-1]}"
    raise _unknown(f"CUDA {version}", wanted, known, newest)


def list_cuda(matrices: Matrices) -> list[Answer]:
    """Every CUDA toolkit line, newest first."""
    return [_toolkit(matrices, row) for row in reversed(_rows(matrices, "cuda"))]


def _toolkit(matrices: Matrices, row: Answer) -> Answer:
    least = _least_drivers(matrices, CudaVersion.parse(row["version"]))
    answer = _plain(row)
    return {**answer, "least_driver": least, "sources": _sources(matrices, "cuda", row)}


def find_cudnn(matrices: Matrices, version: str) -> Answer:
    """One cuDNN line; the third and fourth number of a version do not matter."""
    rows = _rows(matrices, "cudnn")
    wanted = ".".join(version.split(".")[:2])
    for row in rows:
        if row["version"] == wanted:
            return {**_plain(row), "sources": _sources(matrices, "cudnn", row)}
    known = [row["version"] for row in rows]
    newest = f"the newest in our data is {known[-1]}"
    raise _unknown(f"cuDNN {version}", wanted, known, newest)


def list_cudnn(matrices: Matrices) -> list[Answer]:
    """Every cuDNN line, newest first."""
    rows = reversed(_rows(matrices, "cudnn"))
    return [{**_plain(r), "sources": _sources(matrices, "cudnn", r)} for r in rows]


# Drivers


def find_driver(matrices: Matrices, version: str) -> Answer:
    """The branch of a driver: a Linux or Windows version, or a branch (550, R550)."""
    text = version.upper().removeprefix("R") if version[:1] in "Rr" else version
    try:
        driver = DriverVersion.parse(text if "." in text else f"{text}.0")
    except ValueError as error:
        raise UsageError(
            "not-a-driver",
            f"{version!r} is not a driver version",
            hint="give it as nvidia-smi prints it, for example 550.54.14",
        ) from error
    for os_name in _OS_NAMES:
        branch = matrices.find_driver_branch(driver, os_name=os_name)
        if branch is not None:
            return _driver(matrices, branch, version, os_name)
    newest = matrices.driver_branches()[-1].branch
    hint = f"our data of {data_date(matrices)} end with R{newest}"
    raise _unknown(f"driver {version}", version, (), hint)


def list_drivers(matrices: Matrices) -> list[Answer]:
    """Every driver branch, newest first."""
    found = reversed(matrices.driver_branches())
    return [_driver(matrices, b, str(b.branch), "linux") for b in found]


def _driver(
    matrices: Matrices, branch: DriverBranch, version: str, os_name: str
) -> Answer:
    row = next(r for r in _rows(matrices, "driver") if r["branch"] == branch.branch)
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
    return {**answer, "sources": _sources(matrices, "driver", row)}


def _compat_packages(matrices: Matrices, branch: int) -> list[str]:
    """The cuda-compat packages that run on a driver branch (data-centre GPUs)."""
    rows = matrices.raw("nvidia/forward_compat.json").get("records") or ()
    return [r["package"] for r in rows if branch in r.get("base_branches", ())]


def _cuda_of(row: Answer, version: str) -> str | None:
    for early in row.get("cuda_before", ()):
        if "." in version and _numbers(version) < _numbers(early["driver"]):
            return str(early["cuda"])
    return row.get("cuda")


# GPUs


def find_gpu(matrices: Matrices, name: str) -> Answer:
    """A GPU by name or alias, with the toolkits and drivers that support it."""
    gpu = matrices.find_typed_gpu(name)
    if gpu is None:
        known = {_short(model.name): model.name for model in matrices.gpus()}
        wanted = _short(name)
        holding = sorted((n for s, n in known.items() if wanted in s), key=len)[:4]
        close = holding or [
            known[short] for short in difflib.get_close_matches(wanted, known, n=4)
        ]
        raise _not_here(f"GPU {name}", close, None)
    return _gpu(matrices, gpu, matrices.gpus().index(gpu))


def list_gpus(matrices: Matrices) -> list[Answer]:
    """Every GPU name, newest architecture first, then by name."""
    found = sorted(enumerate(matrices.gpus()), key=lambda item: item[1].name.lower())
    found.sort(key=lambda item: item[1].compute_capability, reverse=True)
    return [_gpu(matrices, gpu, index) for index, gpu in found]


def _short(name: str) -> str:
    """A GPU name in lower case without the words all of them share."""
    words = name.lower().split()
    return " ".join(word for word in words if word not in ("nvidia", "geforce"))


def _gpu(matrices: Matrices, gpu: GpuModel, index: int) -> Answer:
    device = matrices.find_architecture(gpu.compute_capability)
    row = _rows(matrices, "gpu")[index]
    return {
        "name": gpu.name,
        "compute_capability": str(gpu.compute_capability),
        "architecture": device.architecture if device else None,
        "first_driver": gpu.first_driver,
        "first_driver_branch": device.first_driver_branch if device else None,
        "last_driver_branch": device.last_driver_branch if device else None,
        "first_cuda": _text(device.first_cuda) if device else None,
        "last_cuda": _text(device.last_cuda) if device else None,
        "segment": gpu.segment,
        "forward_compat": gpu.has_forward_compat,
        "nvswitch": gpu.is_nvswitch_board,
        "aliases": list(gpu.aliases),
        "pci_device_ids": list(gpu.pci_device_ids),
        "sources": _sources(matrices, "gpu", row),
    }


# The data as a whole


def overview(matrices: Matrices, today: dt.date) -> Answer:
    """What there is, and how old it is."""
    tables = []
    for topic in TOPICS:
        names = _names(matrices, topic)
        dates = sorted(_dates(matrices, topic))
        tables.append(
            {
                "topic": topic,
                "records": len(names),
                "first": names[0] if names else None,
                "last": names[-1] if names else None,
                "retrieved": dates[-1] if dates else None,
            }
        )
    date = data_date(matrices)
    age = (today - date).days if date else None
    return {"tables": tables, "retrieved": str(date) if date else None, "age_days": age}


def data_date(matrices: Matrices) -> dt.date | None:
    """The day the newest of the sources was read; None without any."""
    found = sorted(date for topic in TOPICS for date in _dates(matrices, topic))
    return dt.date.fromisoformat(found[-1]) if found else None


def age_note(matrices: Matrices, today: dt.date) -> str | None:
    """A sentence when the data are older than they should be."""
    date = data_date(matrices)
    if date is None or (today - date).days <= MAX_AGE_DAYS:
        return None
    days = (today - date).days
    return f"the compatibility data are {days} days old ({date}): upgrade fwdoctor"


def _names(matrices: Matrices, topic: str) -> list[str]:
    if topic in FRAMEWORKS:
        return list(matrices.versions(topic))
    key = {"driver": "branch", "gpu": "name"}.get(topic, "version")
    names = [str(row[key]) for row in _rows(matrices, topic)]
    return sorted(names, key=str.lower) if topic == "gpu" else names


def _dates(matrices: Matrices, topic: str) -> Iterator[str]:
    """Days on which the sources of a topic were read."""
    if topic in TABLES:
        files = [TABLES[topic]]
    else:
        files = [f"{topic}/{version}.json" for version in matrices.versions(topic)]
    for name in files:
        found = matrices.raw(name).get("sources") or ()
        for source in found.values() if isinstance(found, dict) else found:
            day = source.get("retrieved") if isinstance(source, dict) else None
            if not isinstance(day, str) or not _DAY.fullmatch(day):
                path = matrices.folder / name
                problem = f"{path}: field sources: no day of retrieval"
                raise MatrixError("matrix-damaged", problem)
            yield day


def _rows(matrices: Matrices, topic: str) -> list[Answer]:
    """The rows of a table as they stand in the file, once the loader accepts them."""
    loaders = {
        "cuda": matrices.toolkits,
        "cudnn": matrices.cudnn_releases,
        "driver": matrices.driver_branches,
        "gpu": matrices.gpus,
    }
    loaders[topic]()  # names file and field when a row is damaged
    rows: list[Answer] = matrices.raw(TABLES[topic]).get("records", [])
    return rows


def _sources(matrices: Matrices, topic: str, row: Answer) -> list[Answer]:
    """The sources of a row, each with the fields it supports."""
    data = matrices.raw(TABLES[topic])
    try:
        facts = row.get("facts") or data["fact_sets"][row["fact_set"]]
        return [
            {
                "source": data["sources"][fact["source"]]["source"],
                "fields": fields,
                "confidence": fact["confidence"],
                "retrieved": data["sources"][fact["source"]]["retrieved"],
            }
            for fact in facts
            if (fields := [field for field in fact["fields"] if field in row])
        ]
    except (KeyError, TypeError) as error:
        path = matrices.folder / TABLES[topic]
        problem = f"{path}: field facts or sources: {error} is missing"
        raise MatrixError("matrix-damaged", problem) from error


def _plain(row: Answer) -> Answer:
    return {key: value for key, value in row.items() if key != "facts"}


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _texts(values: Iterable[object]) -> list[str]:
    return [str(value) for value in values]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _unknown(
    what: str, wanted: str, known: Iterable[str], otherwise: str | None
) -> UsageError:
    """The error for a name that is not in the data, with what may have been meant."""
    close = difflib.get_close_matches(wanted, list(known), n=4)
    return _not_here(what, close, otherwise)


def _not_here(what: str, close: list[str], otherwise: str | None) -> UsageError:
    hints = [f"did you mean {', '.join(close)}?"] if close else []
    if otherwise:
        hints.append(otherwise)
    hint = "; ".join(hints) or "`fwdoctor matrix` lists what there is"
    return UsageError("not-in-our-data", f"{what} is not in our data", hint=hint)
