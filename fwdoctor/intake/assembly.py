"""Merged facts to a Snapshot: texts become values, values find their fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeVar

from fwdoctor.intake.builds import Told, framework_of, parse_cuda
from fwdoctor.intake.gpu_names import resolve
from fwdoctor.model.snapshot import (
    Container,
    Driver,
    Environment,
    Host,
    LibCuda,
    Message,
    NvidiaSmi,
    PciDevice,
    Snapshot,
    Toolkit,
)
from fwdoctor.versions import DriverVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.intake.catalogue import MessageMatch
    from fwdoctor.intake.facts import Facts
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Gpu, Library, Package

T = TypeVar("T", bound=str)
PREFIX = "(pasted)"
_DISTRIBUTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("ubuntu", "ubuntu", ("debian",)),
    ("pop", "pop", ("ubuntu", "debian")),
    ("mint", "linuxmint", ("ubuntu", "debian")),
    ("debian", "debian", ()),
    ("fedora", "fedora", ()),
    ("centos", "centos", ("rhel", "fedora")),
    ("rocky", "rocky", ("rhel", "fedora")),
    ("alma", "almalinux", ("rhel", "fedora")),
    ("red hat", "rhel", ("fedora",)),
    ("rhel", "rhel", ("fedora",)),
    ("amazon", "amzn", ("fedora",)),
    ("manjaro", "manjaro", ("arch",)),
    ("endeavour", "endeavouros", ("arch",)),
    ("cachyos", "cachyos", ("arch",)),
    ("arch", "arch", ()),
    ("opensuse", "opensuse", ("suse",)),
    ("suse", "sles", ("suse",)),
    ("alpine", "alpine", ()),
)
_VERSION = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}")
_MAJOR = re.compile(r"\d{1,2}")
_MACOS_MACHINES = {"arm64": "arm64", "aarch64": "arm64"}


def assemble(
    facts: Facts, matches: tuple[MessageMatch, ...], matrices: Matrices
) -> Snapshot:
    """The snapshot of the machine and environment that a paste is about."""
    gpus = _gpus(facts, matrices)
    host = _host(facts)
    return Snapshot(
        origin="pasted",
        host=host,
        driver=_driver(facts),
        pci=_pci(facts, gpus),
        gpus=gpus,
        xids=facts.xids or None,
        container=_container(facts),
        toolkits=_toolkits(facts),
        libraries=_libraries(facts),
        environments=(_environment(facts, host, matrices),),
        env_vars=_env_vars(facts),
        messages=tuple(_message(match) for match in matches),
        commands=facts.commands,
    )


def _message(match: MessageMatch) -> Message:
    return Message(
        id=match.id, text=match.text, line=match.line, captures=dict(match.captures)
    )


def _host(facts: Facts) -> Host:
    is_wsl = _flag(facts.get("is_wsl"))
    is_tegra = _flag(facts.get("is_tegra"))
    system = "linux" if is_wsl or is_tegra else facts.get("os")
    name = facts.get("distribution")
    known = _distribution(name) if system == "linux" else None
    version = _VERSION.search(name or "")
    gcc, memory = facts.get("gcc"), facts.get("memory_bytes")
    return Host(
        os=_one_of(system, "linux", "windows", "macos"),
        distribution=name,
        distribution_id=known[0] if known else None,
        distribution_like=known[1] if known else (),
        distribution_version=version[0] if version else None,
        kernel=facts.get("kernel"),
        machine=_machine(facts, system, is_tegra=is_tegra),
        libc="glibc" if facts.get("libc_version") else None,
        libc_version=facts.get("libc_version"),
        cpu_model=facts.get("cpu_model"),
        memory_bytes=int(memory) if memory and memory.isdigit() else None,
        is_wsl=is_wsl,
        is_tegra=is_tegra,
        tegra_release=facts.get("tegra_release"),
        compilers={"gcc": gcc} if gcc else {},
    )


def _machine(facts: Facts, system: str | None, *, is_tegra: bool | None) -> str | None:
    if is_tegra:
        return "aarch64"
    machine = facts.get("machine")
    if system == "macos" and machine:
        return _MACOS_MACHINES.get(machine, machine)
    if system == "macos" and "apple" in facts.vendors:
        return "arm64"
    return machine


def _distribution(name: str | None) -> tuple[str, tuple[str, ...]] | None:
    lower = (name or "").lower()
    return next(
        ((known, like) for word, known, like in _DISTRIBUTIONS if word in lower), None
    )


def _driver(facts: Facts) -> Driver:
    version = facts.values.get("driver")
    kernel = _driver_version(facts.get("kernel_module"))
    cuda = parse_cuda(facts.get("driver_cuda"))
    return Driver(
        version=_driver_version(version.value if version else None),
        version_source=f"line {version.line}" if version and version.line else None,
        cuda_driver_version=cuda,
        kernel_module=kernel,
        nvml_code=_number(facts.get("nvml_code")),
        nvml_version=_driver_version(facts.get("nvml_version")),
        libcuda=_libcuda(facts),
        nvidia_smi=_nvidia_smi(facts),
        cuda_name=facts.get("cuda_name"),
    )


def _libcuda(facts: Facts) -> LibCuda | None:
    libcuda = LibCuda(
        version=_driver_version(facts.get("libcuda")),
        init_code=_number(facts.get("cuinit_code")),
        cuda_driver_version=parse_cuda(facts.get("libcuda_cuda")),
    )
    return None if libcuda == LibCuda() else libcuda


def _nvidia_smi(facts: Facts) -> NvidiaSmi | None:
    printed = NvidiaSmi(
        error=facts.get("smi_error"),
        driver_version=_driver_version(facts.get("smi_version")),
        cuda_driver_version=parse_cuda(facts.get("driver_cuda")),
    )
    was_run = facts.get("smi_error") or facts.get("smi_version")
    return printed if was_run else None


def _gpus(facts: Facts, matrices: Matrices) -> tuple[Gpu, ...] | None:
    if facts.gpus:
        return resolve(facts.gpus, matrices)
    return () if facts.get("no_gpu") or _has_other_gpus_only(facts) else None


def _has_other_gpus_only(facts: Facts) -> bool:
    """A report that names its GPU, and it is another maker's."""
    return bool(facts.vendors) and "nvidia" not in facts.vendors


def _pci(facts: Facts, gpus: tuple[Gpu, ...] | None) -> tuple[PciDevice, ...] | None:
    """Other makers' GPUs as devices; what else is on the bus is not known."""
    if gpus:
        return None
    vendors = [v for v in facts.vendors if v in ("amd", "intel")]
    devices = tuple(
        PciDevice(address="", vendor=vendor, device_id="", kind="gpu")  # type: ignore[arg-type]  # amd or intel
        for vendor in vendors
    )
    return devices or None


def _container(facts: Facts) -> Container | None:
    container = Container(
        kind=_one_of(
            facts.get("container"),
            *("docker", "podman", "kubernetes", "singularity", "lxc", "other"),
        ),
        nvidia_visible_devices=facts.env_vars.get("NVIDIA_VISIBLE_DEVICES"),
        nvidia_driver_capabilities=facts.env_vars.get("NVIDIA_DRIVER_CAPABILITIES"),
        nvidia_require_cuda=facts.env_vars.get("NVIDIA_REQUIRE_CUDA"),
        scheduler=_one_of(facts.get("scheduler"), "slurm", "lsf", "pbs"),
        scheduler_gpus=facts.get("scheduler_gpus"),
    )
    return None if container == Container() else container


def _toolkits(facts: Facts) -> tuple[Toolkit, ...] | None:
    text = facts.get("nvcc")
    version = parse_cuda(text)
    if text is None or version is None:
        return None
    home = facts.env_vars.get("CUDA_HOME") or facts.get("cuda_home") or ""
    return (Toolkit(path=home, version=version, full_version=text, is_active=True),)


def _libraries(facts: Facts) -> tuple[Library, ...] | None:
    from fwdoctor.model.snapshot import Library

    told = facts.get("cudnn")
    stated = (Library(name="cudnn", path="", version=told),) if told else ()
    return (*facts.libraries, *stated) or None


def _env_vars(facts: Facts) -> Mapping[str, str]:
    told = facts.get("visible_devices")
    if told is None:
        return dict(facts.env_vars)
    return {"CUDA_VISIBLE_DEVICES": told, **facts.env_vars}


def _environment(facts: Facts, host: Host, matrices: Matrices) -> Environment:
    platform = _platform(host)
    packages = facts.packages
    bits = _number(facts.get("bits"))
    return Environment(
        prefix=PREFIX,
        python=facts.get("python_path"),
        kind="pasted",
        manager=_manager(facts, packages),
        python_version=facts.get("python"),
        machine=host.machine,
        bits=bits if bits in (32, 64) else None,
        is_target=True,
        packages=packages or None,
        torch=framework_of(Told("torch", facts, packages, platform), matrices),
        tensorflow=framework_of(
            Told("tensorflow", facts, packages, platform), matrices
        ),
    )


def _platform(host: Host) -> str | None:
    if host.os is None:
        return None
    default = "x86_64"
    machine = {"amd64": "x86_64"}.get(host.machine or "", host.machine)
    if host.os == "macos":
        machine = {"aarch64": "arm64"}.get(machine or "", machine)
    return f"{host.os}-{machine or default}"


Manager = Literal["uv", "pip", "conda", "mamba", "pixi", "poetry"]


def _manager(facts: Facts, packages: tuple[Package, ...]) -> Manager | None:
    """Who put the framework there; a conda Python may hold pip's."""
    frameworks = {"torch", "pytorch", "tensorflow", "tensorflow-gpu"}
    installers = {p.installer for p in packages if p.name in frameworks}
    if "conda" in installers:
        return "conda"
    tools = [c.tool for c in facts.commands if c.action in ("install", "create", "add")]
    for tool in tools:
        known = _one_of(tool, "uv", "pip", "conda", "mamba", "pixi", "poetry")
        if known:
            return known
    return _one_of(facts.get("manager"), "conda", "uv", "pip", "poetry", "pixi")


def _flag(text: str | None) -> bool | None:
    return {"true": True, "false": False}.get((text or "").lower())


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None


def _driver_version(text: str | None) -> DriverVersion | None:
    try:
        return DriverVersion.parse(text or "")
    except ValueError:
        return None


def _one_of(text: str | None, *allowed: T) -> T | None:
    return next((word for word in allowed if word == text), None)
