"""Measuring one TensorFlow release from the wheels on PyPI.

A release is `tensorflow` and its sibling packages of the same version. What a build was
made for stands in its `build_info.py`; wheels without that file are stubs that only
require a sibling.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from fwdoctor.matrices.fat_binaries import iter_fat_binaries, own_code
from fwdoctor.matrices.measure_requirements import (
    read_all_requirements,
    read_requirements,
)
from fwdoctor.matrices.measurement import (
    Json,
    Measurement,
    Options,
    describe_files,
    dotted_capability,
    newest_wheel,
    pythons_on,
    row_name,
    sort_capabilities,
)
from fwdoctor.matrices.requirements_of import (
    Spec,
    applies_on,
    gpu_extras,
    normal_name,
    spec_of,
    spec_text,
    specs_by_name,
    split_extras,
)
from fwdoctor.matrices.wheel_names import LINUX, PLATFORMS, WINDOWS
from fwdoctor.matrices.wheel_reader import RemoteWheel, glibc_floor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement
    from packaging.version import Version

    from fwdoctor.matrices.wheel_names import WheelName

MAIN_PACKAGE = "tensorflow"
SIBLINGS = (
    "tensorflow-gpu",
    "tensorflow-cpu",
    "tensorflow-intel",
    "tensorflow-cpu-aws",
    "tensorflow-macos",
    "tensorflow-rocm",
)
PACKAGES = (MAIN_PACKAGE, *SIBLINGS)
MAJOR_DIGITS = 2
ROCM_NUMBERS = 4
# Stub wheels of `tensorflow` say nothing of NumPy; what they install does.
BUILDS_ASKED = frozenset({MAIN_PACKAGE, "tensorflow-intel"})
BUILD_INFO = r"(?:.*/)?tensorflow(?:_core)?/python/platform/build_info\.py"
GPU_LIBRARY = r"(?:.*/)?(?:libtensorflow_cc|_pywrap_tensorflow_internal)\.so(?:\.\d+)?"
SYMBOL_LIBRARIES = (
    r"(?:.*/)?libtensorflow_framework\.so(?:\.\d+)?",
    r"(?:.*/)?_pywrap_tensorflow_internal\.so",
    r"(?:.*/)?_pywrap_tf_session\.so",
    r"(?:.*/)?lib_?pywrap_tensorflow_common\.so",
    r"(?:.*/)?libpywrap_tflite_common\.so",
    r"(?:.*/)?_pywrap_profiler_plugin\.so",
)
NUMPY_LIBRARIES = (
    r"(?:.*/)?_pywrap_tf_session\.(?:so|pyd)",
    r"(?:.*/)?fast_tensor_util\.(?:so|pyd)",
    r"(?:.*/)?_?(?:lib_)?pywrap_tensorflow_(?:common|internal)\.(?:so|dll|pyd)",
)
_NUMPY = r"numpy\.(_?core)\b"
_LOOSE_ASSIGNMENT = re.compile(r"^(\w+)\s*=\s*(.+)$", re.MULTILINE)
_DICTIONARY = re.compile(
    r"build_info\s*=\s*(?:collections\.OrderedDict\()?(.+?)\)?\s*$", re.DOTALL
)


def measure_tensorflow(
    version: Version, wheels: Mapping[str, tuple[WheelName, ...]], options: Options
) -> Measurement:
    """Return every fact the wheels of a release and of its siblings give."""
    main = wheels.get(MAIN_PACKAGE, ())
    measurement = describe_files(MAIN_PACKAGE, version, main)
    rows: list[Json] = []
    numpy2: dict[str, bool] = {}
    for package in PACKAGES:
        for platform in PLATFORMS:
            chosen = newest_wheel(wheels.get(package, ()), platform)
            if chosen is None:
                continue
            options.say(f"tensorflow {version}: {chosen.file.filename}")
            wheel = RemoteWheel(chosen.file.url)
            row = _read_row(package, wheel, chosen)
            row["python"] = pythons_on(wheels[package], platform)
            rows.append(row)
            fields = []
            if package in BUILDS_ASKED:
                fields += _read_numpy2(wheel, chosen, numpy2)
            if package == MAIN_PACKAGE and platform == LINUX:
                asked = read_all_requirements(wheel, chosen, main, measurement)
                fields += _read_linux_facts(wheel, asked, measurement.facts)
            measurement.add_wheel(chosen, row, fields)
            if _has_unlisted_code(row, rows) and options.walk_fat_binaries:
                _walk_fat_binaries(wheel, row, measurement, options)
    measurement.close(
        f"PyPI wheels of {MAIN_PACKAGE} {version} and siblings, newest Python of each"
    )
    measurement.facts["numpy"] = {
        "spec": measurement.facts.pop("numpy_spec", None),
        "numpy2": numpy2,
    }
    measurement.facts["variants"] = rows
    return measurement


def is_of_release(published: Version, release: Version) -> bool:
    """Whether a wheel is of a release; tensorflow-rocm adds its ROCm as 4th number."""
    if len(published.release) == ROCM_NUMBERS:
        return published.release[:-1] == release.release and not release.pre
    return published == release


def parse_build_info(text: str) -> dict[str, Any]:
    """Return the settings in a build_info.py of any age; {} when there are none."""
    dictionary = _DICTIONARY.search(text)
    if dictionary:
        return dict(ast.literal_eval(dictionary[1]))
    found: dict[str, Any] = {}
    for name, value in _LOOSE_ASSIGNMENT.findall(text):
        try:
            found[name.removesuffix("_number")] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            continue
    return found


def describe_build(build_info: Mapping[str, Any]) -> Json:
    """Return CUDA, cuDNN and GPU code of a build from its settings."""
    if build_info.get("is_rocm_build"):
        return {"variant": "rocm", "cuda": None}
    if not build_info.get("is_cuda_build"):
        return {"variant": "cpu", "cuda": None}
    listed = [str(item) for item in build_info.get("cuda_compute_capabilities", ())]
    facts = _described_version("cuda", build_info.get("cuda_version"))
    facts |= _described_version("cudnn", build_info.get("cudnn_version"))
    if "cuda" in facts:
        facts["variant"] = "cu" + facts["cuda"].replace(".", "")
    if listed:
        facts["compute_capabilities"] = _listed_code(listed, "sm_")
        facts["ptx"] = _listed_code(listed, "compute_")
    return facts


def _read_row(package: str, wheel: RemoteWheel, chosen: WheelName) -> Json:
    row: Json = {
        "package": package,
        "index": "pypi",
        "platforms": [chosen.platform],
    }
    member = wheel.find_member(BUILD_INFO)
    if member is None:
        stands_for = _sibling_required(wheel, chosen)
        return row | {"variant": "cpu", "cuda": None, "stub_for": stands_for}
    row |= describe_build(parse_build_info(wheel.read_text(member)))
    if len(chosen.version.release) == ROCM_NUMBERS:  # 2.14.0.600 is for ROCm 6.0
        major, rest = divmod(chosen.version.release[-1], 100)
        row["variant"] = f"rocm{major}.{rest // 10}"
    return row


def _has_unlisted_code(row: Json, rows: list[Json]) -> bool:
    """Whether this is the first GPU build for Linux, and build_info lists no code."""
    gpu = [item for item in rows if item["platforms"] == [LINUX] and _is_cuda(item)]
    return gpu[:1] == [row] and "compute_capabilities" not in row


def _is_cuda(row: Json) -> bool:
    return not str(row.get("variant", "cuda")).startswith(("cpu", "rocm"))


def _walk_fat_binaries(
    wheel: RemoteWheel, row: Json, measurement: Measurement, options: Options
) -> None:
    member = wheel.find_member(GPU_LIBRARY)
    if member is None:
        return
    options.say(f"    fat binaries of {member}")
    found = iter_fat_binaries(wheel.iter_chunks(member, overlap_bytes=0))
    code = own_code(found)
    if code is None:
        return
    walked = {
        "compute_capabilities": _dotted(code.machine_code),
        "ptx": _dotted(code.ptx),
    }
    row |= walked
    measurement.add_source(
        f"PyPI wheel {wheel.filename}: fat binaries of {member}",
        [f"variants[{row_name(row)}].{key}" for key in walked],
    )


def _dotted(numbers: Iterable[int]) -> list[str]:
    return sort_capabilities(map(dotted_capability, numbers))


def _read_numpy2(
    wheel: RemoteWheel, chosen: WheelName, numpy2: dict[str, bool]
) -> list[str]:
    """Note whether this platform's build knows NumPy 2; return the fields noted."""
    system = chosen.platform.split("-", maxsplit=1)[0]
    if system in numpy2 or chosen.platform not in (LINUX, WINDOWS):
        return []
    answer = _is_numpy2(wheel)
    if answer is None:
        return []
    numpy2[system] = answer
    return [f"numpy.numpy2.{system}"]


def _read_linux_facts(
    wheel: RemoteWheel, asked: Iterable[Requirement], facts: Json
) -> list[str]:
    """Add what the Linux wheels ask for; return the fields added."""
    base, extras = split_extras(asked)
    facts["glibc_min"] = glibc_floor(wheel, SYMBOL_LIBRARIES)
    facts["requires"] = specs_by_name(base)
    facts["extras"] = gpu_extras(extras)
    facts["numpy_spec"] = spec_of(base, "numpy")
    fields = ["glibc_min", "requires", "extras", "numpy.spec"]
    keras = _keras(facts["requires"])
    if keras:
        facts["companions"] = {"keras": keras}
        fields.append("companions.keras")
    return fields


def _keras(requires: Mapping[str, Spec]) -> list[str]:
    specs = {name: requires.get(name, []) for name in ("keras", "keras-nightly")}
    return [
        spec if name == "keras" else f"{name}{spec}"
        for name, found in specs.items()
        for spec in ([found] if isinstance(found, str) else found)
    ]


def _is_numpy2(wheel: RemoteWheel) -> bool | None:
    """Whether the build knows NumPy 2's module name; None when it names none."""
    names: set[str] = set()
    for pattern in NUMPY_LIBRARIES:
        member = wheel.find_member(pattern)
        if member:
            names |= wheel.find_strings(member, _NUMPY)
        if names:
            return "_core" in names
    return None


def _sibling_required(wheel: RemoteWheel, chosen: WheelName) -> str | None:
    for item in read_requirements(wheel):
        name = normal_name(item.name)
        if name in PACKAGES and applies_on(item, chosen.platform, chosen.python):
            return f"{name}{spec_text(item)}"
    return None


def _described_version(name: str, text: object) -> Json:
    """Split what a build tells: 12.5 and 12.5.1, or the major alone (`64_8`, `9`).

    Many builds name only the major; the documented version is then an authored fact.
    """
    version = str(text or "").removeprefix("64_")
    if version.isdigit() and len(version) > MAJOR_DIGITS:  # Windows: 112 is 11.2
        version = f"{version[:-1]}.{version[-1]}"
    parts = version.split(".")
    facts: Json = {f"{name}_major": int(parts[0])} if parts[0].isdigit() else {}
    if len(parts) > 1:
        facts[name] = ".".join(parts[:2])
    if len(parts) > 2:
        facts[f"{name}_full"] = version
    return facts


def _listed_code(listed: Iterable[str], prefix: str) -> list[str]:
    return sort_capabilities(
        dotted_capability(item.removeprefix(prefix))
        for item in listed
        if item.startswith(prefix)
    )
