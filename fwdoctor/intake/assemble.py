"""Merged facts to the typed records of a Snapshot.

The edge where texts become versions: what does not parse is unknown, not an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from fwdoctor.intake.frameworks import read_tensorflow, read_torch
from fwdoctor.intake.gpu_names import resolve
from fwdoctor.model.snapshot import (
    Container,
    DeviceNode,
    Driver,
    Environment,
    Gpu,
    Host,
    LibCuda,
    Library,
    NvidiaSmi,
    PciDevice,
    Toolkit,
)
from fwdoctor.versions import CudaVersion, DriverVersion

if TYPE_CHECKING:
    from fwdoctor.intake.merge import Merged
    from fwdoctor.matrices.load import Matrices

PREFIX = "(pasted)"
_BRANCH = re.compile(r"\d{3}")
_NUMBER = re.compile(r"-?\d{1,4}")
_STUB_CODE = 34
_COMPAT_CODES = (803, 804)  # answers of a cuda-compat library, or of a mismatch
# First word of a distribution's name → its ID in os-release, and what it is like.
_DISTRIBUTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ubuntu": ("ubuntu", ("debian",)),
    "kubuntu": ("ubuntu", ("debian",)),
    "xubuntu": ("ubuntu", ("debian",)),
    "pop": ("pop", ("ubuntu", "debian")),
    "linux mint": ("linuxmint", ("ubuntu", "debian")),
    "linuxmint": ("linuxmint", ("ubuntu", "debian")),
    "elementary": ("elementary", ("ubuntu", "debian")),
    "zorin": ("zorin", ("ubuntu", "debian")),
    "google colab": ("ubuntu", ("debian",)),
    "debian": ("debian", ()),
    "kali": ("kali", ("debian",)),
    "centos": ("centos", ("rhel", "fedora")),
    "red": ("rhel", ("fedora",)),
    "rhel": ("rhel", ("fedora",)),
    "rocky": ("rocky", ("rhel", "centos", "fedora")),
    "alma": ("almalinux", ("rhel", "centos", "fedora")),
    "fedora": ("fedora", ()),
    "amazon": ("amzn", ("fedora",)),
    "scientific": ("scientific", ("rhel", "centos", "fedora")),
    "oracle": ("ol", ("fedora",)),
    "arch": ("arch", ()),
    "manjaro": ("manjaro", ("arch",)),
    "endeavouros": ("endeavouros", ("arch",)),
    "cachyos": ("cachyos", ("arch",)),
    "opensuse": ("opensuse", ("suse",)),
    "suse": ("sles", ("suse",)),
    "sles": ("sles", ("suse",)),
    "alpine": ("alpine", ()),
    "nixos": ("nixos", ()),
    "gentoo": ("gentoo", ()),
}
_VERSION_OF_OS = re.compile(r"\d{1,3}(?:\.\d{1,5}){0,2}")


def make_host(merged: Merged) -> Host:
    """Operating system and processor."""
    name = merged.get("os")
    is_wsl = merged.get("is_wsl") == "true"
    is_boxed = name is None and merged.get("container") is not None
    is_linux = name == "linux" or is_wsl or is_boxed
    distribution = merged.get("distribution")
    known, like = _distribution_id(distribution) if is_linux else (None, ())
    number = _VERSION_OF_OS.search(distribution or "")
    gcc = merged.get("gcc")
    return Host(
        os="linux" if is_linux else _os_name(name),
        distribution=distribution,
        distribution_id=known,
        distribution_like=like,
        distribution_version=number[0] if number else None,
        kernel=merged.get("kernel"),
        machine=_machine(merged),
        libc="glibc" if merged.get("libc_version") else None,
        libc_version=merged.get("libc_version"),
        cpu_model=merged.get("cpu_model"),
        is_wsl=True if is_wsl else None,
        is_tegra=True if merged.get("is_tegra") else None,
        tegra_release=merged.get("tegra_release"),
        secure_boot=_flag(merged.get("secure_boot")),
        compilers={"gcc": gcc} if gcc else {},
    )


def _flag(word: str | None) -> bool | None:
    return {"enabled": True, "disabled": False}.get(word or "")


def _modules(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(w for w in text.split() if w != "none")


def _machine(merged: Merged) -> str | None:
    """The processor; a Mac with Apple's own GPU has Apple's own processor."""
    told = merged.get("machine")
    is_apple = merged.get("os") == "macos" and "apple" in merged.vendors
    return "arm64" if told is None and is_apple else told


def _os_name(word: str | None) -> Literal["linux", "windows", "macos"] | None:
    known: tuple[Literal["linux", "windows", "macos"], ...]
    known = ("linux", "windows", "macos")
    return next((name for name in known if name == word), None)


def _distribution_id(name: str | None) -> tuple[str | None, tuple[str, ...]]:
    lower = (name or "").lower()
    for start, found in _DISTRIBUTIONS.items():
        if lower.startswith(start):
            return found
    return None, ()


def make_driver(merged: Merged, matrices: Matrices) -> Driver:
    """The driver: its version, what CUDA it speaks, what did not start."""
    version = _driver(merged.get("driver"))
    module = _driver(merged.get("kernel_module"))
    source = merged.sources.get("driver") or merged.sources.get("kernel_module")
    spoken = (
        _cuda(merged.get("driver_cuda"))
        or _cuda(merged.get("libcuda_cuda"))
        or _branch_cuda(merged.get("driver"), matrices)
    )
    nvml_code = _number(merged.get("nvml_code"))
    is_table = merged.sources.get("driver") == "nvidia-smi"
    return Driver(
        version=version or module,
        version_source=f"pasted {source}" if source else None,
        cuda_driver_version=spoken,
        kernel_module=module,
        modules_loaded=_modules(merged.get("modules")),
        nvml_code=0 if nvml_code is None and is_table else nvml_code,
        nvml_version=_driver(merged.get("nvml_version")),
        libcuda=_libcuda(merged, matrices),
        nvidia_smi=_nvidia_smi(merged),
        cuda_name=merged.get("cuda_name"),
    )


def _libcuda(merged: Merged, matrices: Matrices) -> LibCuda | None:
    version = _driver(merged.get("libcuda"))
    code = _init_code(merged.get("cuinit_code"), matrices)
    spoken = _cuda(merged.get("libcuda_cuda"))
    if version is None and code is None and spoken is None:
        return None
    return LibCuda(
        kind=_libcuda_kind(version, code, merged),
        version=version,
        init_code=code,
        cuda_driver_version=spoken,
    )


def _libcuda_kind(
    version: DriverVersion | None, code: int | None, merged: Merged
) -> Literal["driver", "stub"] | None:
    """A library that told its version is the driver's, unless compat may be meant."""
    if code == _STUB_CODE:
        return "stub"
    has_compat = any("compat" in value for value in merged.env_vars.values())
    if version is None or has_compat or code in _COMPAT_CODES:
        return None
    return "driver"


def _init_code(text: str | None, matrices: Matrices) -> int | None:
    """A number, or the number of a name such as CUDA_ERROR_NO_DEVICE."""
    if text is None or _NUMBER.fullmatch(text):
        return _number(text)
    for row in matrices.raw("nvidia/codes.json").get("records", ()):
        if row.get("family") == "cuda-driver" and row.get("name") == text:
            return int(row["code"])
    return None


def _nvidia_smi(merged: Merged) -> NvidiaSmi | None:
    error = merged.get("smi_error")
    is_shown = merged.sources.get("driver") == "nvidia-smi"
    if not error and not is_shown:
        return None
    return NvidiaSmi(
        error=error,
        driver_version=_driver(merged.get("driver")) if is_shown else None,
        cuda_driver_version=_cuda(merged.get("driver_cuda")) if is_shown else None,
    )


def make_gpus(merged: Merged, matrices: Matrices) -> tuple[Gpu, ...] | None:
    """NVIDIA GPUs with their compute capability; () where there can be none."""
    if merged.gpus:
        return resolve(merged.gpus, matrices)
    count = _number(merged.get("gpu_count"))
    if count and not merged.vendors:
        return tuple(Gpu(index=index) for index in range(min(count, 64)))
    if merged.get("os") == "macos" and not merged.get("driver"):
        return ()
    return None


def make_pci(merged: Merged) -> tuple[PciDevice, ...] | None:
    """The bus where it was listed; else other makers' GPUs, if no other is named."""
    if merged.pci:
        return merged.pci
    has_nvidia = merged.gpus or merged.get("driver") or merged.get("is_tegra")
    if has_nvidia or not merged.vendors:
        return None
    return tuple(
        PciDevice(
            address="",
            device_id="",
            vendor=vendor if vendor in ("amd", "intel") else "other",
            kind="gpu",
        )
        for vendor in merged.vendors
    )


def make_container(merged: Merged) -> Container | None:
    """The container or batch job the paste comes from."""
    kind = merged.get("container")
    scheduler = merged.get("scheduler")
    variables = merged.env_vars
    if kind is None and scheduler is None:
        return None
    return Container(
        kind=kind,  # type: ignore[arg-type]  # the parsers' own words
        nvidia_visible_devices=variables.get("NVIDIA_VISIBLE_DEVICES"),
        nvidia_driver_capabilities=variables.get("NVIDIA_DRIVER_CAPABILITIES"),
        scheduler=scheduler,  # type: ignore[arg-type]  # likewise
        scheduler_gpus=merged.get("scheduler_gpus"),
    )


def make_nodes(merged: Merged) -> tuple[DeviceNode, ...] | None:
    """Device files that a log says are not there."""
    path = merged.get("missing_node")
    return (DeviceNode(path=path, exists=False),) if path else None


def make_toolkits(merged: Merged) -> tuple[Toolkit, ...] | None:
    """The CUDA toolkit whose compiler was asked."""
    full = merged.get("nvcc")
    if full is None:
        return None
    return (
        Toolkit(
            path=merged.get("cuda_home") or "",
            version=_cuda(full),
            full_version=full,
            is_active=True,
        ),
    )


def make_libraries(merged: Merged) -> tuple[Library, ...] | None:
    """Copies of cuDNN named by path, log or field."""
    libraries = list(merged.libraries)
    told = merged.get("cudnn")
    if told and not any(lib.name == "cudnn" for lib in libraries):
        libraries.append(Library(name="cudnn", path="", version=told))
    return tuple(libraries) or None


def make_environment(
    merged: Merged, host: Host, matrices: Matrices, *, is_target: bool
) -> Environment:
    """The Python environment and what is installed in it."""
    torch = read_torch(merged, host, matrices)
    tensorflow = read_tensorflow(merged, host, matrices)
    return Environment(
        prefix=PREFIX,
        kind="pasted",
        manager=_manager(merged),
        python_version=merged.get("python"),
        machine=merged.get("machine"),
        bits=_number(merged.get("bits")),
        is_target=is_target,
        is_active=is_target,
        packages=merged.packages or None,
        torch=torch,
        tensorflow=tensorflow,
    )


_MANAGERS: tuple[Literal["uv", "pip", "conda", "mamba", "pixi", "poetry"], ...]
_MANAGERS = ("uv", "pip", "conda", "mamba", "pixi", "poetry")


def _manager(
    merged: Merged,
) -> Literal["uv", "pip", "conda", "mamba", "pixi", "poetry"] | None:
    """Who installed the frameworks; a conda Python may hold pip's packages."""
    frameworks = [p for p in merged.packages if p.name in _FRAMEWORK_NAMES]
    told = merged.get("manager")
    if any(p.installer == "conda" for p in frameworks):
        told = told if told in ("mamba", "pixi") else "conda"
    elif any(p.installer in ("pip", "uv") or "+" in p.version for p in frameworks):
        told = told if told in ("uv", "poetry", "pixi") else "pip"
    return next((name for name in _MANAGERS if name == told), None)


_FRAMEWORK_NAMES = ("torch", "pytorch", "tensorflow", "tensorflow-gpu", "tf-nightly")


def _driver(text: str | None) -> DriverVersion | None:
    try:
        return DriverVersion.parse(text) if text else None
    except ValueError:
        return None


def _branch_cuda(text: str | None, matrices: Matrices) -> CudaVersion | None:
    """What a branch alone ("390") speaks: its releases differ in nothing else."""
    if text is None or not _BRANCH.fullmatch(text):
        return None
    branch = matrices.find_driver_branch(DriverVersion((int(text),), text))
    return branch.cuda if branch else None


def _cuda(text: str | None) -> CudaVersion | None:
    """A CUDA version; a major alone is at least its first release."""
    try:
        return CudaVersion.parse(text if "." in text else f"{text}.0") if text else None
    except ValueError:
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None
