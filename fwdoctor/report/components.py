"""The parts of a machine as status rows: GPUs, driver, frameworks.

Shared by the formats meant for people, so that they say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fwdoctor import presence
from fwdoctor.model.finding import Fix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.finding import Finding, Report
    from fwdoctor.model.snapshot import (
        Driver,
        Framework,
        Gpu,
        PciDevice,
        SmokeResult,
        Snapshot,
    )

Status = Literal["ok", "FAIL", "warn", "none", "?"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One part of the machine: its state, its name, and a line about it."""

    status: Status
    label: str
    text: str


def fixes_to_show(report: Report, finding: Finding) -> tuple[Fix, ...]:
    """Its fixes; the first one is not repeated where an earlier finding has it."""
    own = finding.fix[0].commands if finding.fix else ()
    for earlier in report.findings if own else ():
        if earlier is finding:
            break
        if earlier.fix and earlier.fix[0].commands == own:
            why = f"the first fix of {earlier.code} mends this too"
            return (Fix(effort="environment", why=why), *finding.fix[1:])
    return finding.fix


def component_rows(report: Report) -> tuple[Row, ...]:
    """Rows from the base up."""
    snapshot = report.snapshot
    is_image = snapshot.origin == "image"  # GPU and driver are the host's
    return (
        *(() if is_image else (*_gpu_rows(report), _driver_row(report))),
        *_container_rows(snapshot),
        *_framework_rows(report),
        *_smoke_rows(snapshot),
        *_other_environments(snapshot),
    )


def _gpu_rows(report: Report) -> Iterator[Row]:
    snapshot = report.snapshot
    for gpu in snapshot.gpus or ():
        label = f"GPU {gpu.index}"
        yield Row(status=_status(report, label), label=label, text=_gpu_text(gpu))
    if snapshot.gpus:
        return
    found = [d for d in snapshot.pci or () if d.kind == "gpu"]
    for device in found:
        is_away = device.kernel_driver in presence.PASSED_THROUGH
        status: Status = "?" if device.vendor == "nvidia" and not is_away else "none"
        yield Row(status=status, label="GPU", text=_device_text(device, snapshot))
    if not found:
        is_there = presence.has_nvidia_gpu(snapshot)
        text = "no NVIDIA GPU found" if is_there is False else "not known"
        yield Row(status="none" if is_there is False else "?", label="GPU", text=text)


def _device_text(device: PciDevice, snapshot: Snapshot) -> str:
    vendor = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}.get(device.vendor)
    name = f"{vendor or 'GPU'} device {device.device_id}".rstrip()
    driver = device.kernel_driver
    if driver in presence.PASSED_THROUGH:
        return f"{name}, handed to a virtual machine ({driver})"
    if driver is None and snapshot.origin == "pasted":
        return name  # the text need not say
    return f"{name}, {driver or 'no kernel driver'}"


def _gpu_text(gpu: Gpu) -> str:
    parts = [gpu.name or "name not known"]
    if gpu.compute_capability:
        parts.append(f"compute capability {gpu.compute_capability}")
    if gpu.memory_bytes:
        parts.append(f"{gpu.memory_bytes / 2**30:.0f} GiB")
    if gpu.mig_enabled:
        parts.append(f"MIG with {len(gpu.mig_instances or ())} instances")
    if gpu.error_code is not None:
        parts.append(f"NVML error {gpu.error_code}")
    return ", ".join(parts)


def _driver_row(report: Report) -> Row:
    snapshot = report.snapshot
    driver = snapshot.driver
    if driver.version is None and snapshot.origin == "pasted":
        return Row(status="?", label="driver", text="not known")
    if driver.version is None:
        return _row_without_driver(report)
    return Row(
        status=_status(report, "driver"), label="driver", text=_driver_text(driver)
    )


def _row_without_driver(report: Report) -> Row:
    snapshot = report.snapshot
    status: Status = "FAIL" if presence.has_nvidia_gpu(snapshot) else "none"
    if snapshot.driver.nvml_code is not None:
        return Row(status=status, label="driver", text="no NVIDIA driver found")
    if status == "FAIL" and _status(report, "driver") != "FAIL":
        status = "?"  # nobody asked for it: a GPU was assumed, or a file lacks it
    return Row(status=status, label="driver", text="not known")


def _driver_text(driver: Driver) -> str:
    assert driver.version is not None  # noqa: S101  # checked by the caller
    parts = [f"{driver.version} (R{driver.version.branch})"]
    libcuda = driver.libcuda.version if driver.libcuda else None
    spoken = driver.libcuda.cuda_driver_version if driver.libcuda else None
    if cuda := driver.cuda_driver_version or spoken:
        parts.append(f"CUDA {cuda}")
    if libcuda is not None and driver.kernel_module == libcuda:
        parts.append("kernel module and libcuda agree")
    elif driver.kernel_module_flavour:
        parts.append(f"{driver.kernel_module_flavour} kernel module")
    return ", ".join(parts)


def _container_rows(snapshot: Snapshot) -> Iterator[Row]:
    container = snapshot.container
    if container is None:
        return
    if container.kind:
        yield Row(status="none", label="container", text=container.kind)
    if container.scheduler:
        given = container.scheduler_gpus
        text = f"{container.scheduler} job, GPUs {given or 'none given'}"
        yield Row(status="none", label="job", text=text)


def _framework_rows(report: Report) -> Iterator[Row]:
    target = report.snapshot.target
    for name, framework in presence.frameworks(target).items():
        verdict = report.frameworks.get(name)
        usable = verdict.gpu_usable if verdict else None
        status: Status = {True: "ok", False: "FAIL", None: "?"}[usable]  # type: ignore[assignment]  # the dict's values are statuses
        if status == "ok":
            status = _status(report, framework.package or name)
        if status == "FAIL" and not _is_blamed(report, name):
            status = "none"
        yield Row(
            status=status,
            label=presence.FRAMEWORK_NAMES[name],
            text=_framework_text(framework, report),
        )
    if target is not None and not presence.frameworks(target):
        text = target.problem or f"no PyTorch or TensorFlow in {target.prefix}"
        yield Row(status="none", label="Python", text=text)


def _is_blamed(report: Report, name: str) -> bool:
    return any(name in f.blocks and f.severity == "error" for f in report.findings)


def _framework_text(framework: Framework, report: Report) -> str:
    target = report.snapshot.target
    parts = [framework.version or "version not known"]
    if framework.kind == "cuda":
        parts.append(f"CUDA {framework.cuda or 'not known'}")
        if framework.cudnn:
            parts.append(f"cuDNN {framework.cudnn}")
    elif framework.kind != "unknown":
        parts.append(f"{presence.BUILD_NAMES[framework.kind]} build")
    text = ", ".join(parts)
    if target is None:
        return text
    python = f" (Python {target.python_version})" if target.python_version else ""
    return f"{text} in {target.prefix}{python}"


def _smoke_rows(snapshot: Snapshot) -> Iterator[Row]:
    """What was trained, what failed, what was left out: a line each."""
    for name, title in presence.FRAMEWORK_NAMES.items():
        own = [r for r in snapshot.smoke if r.framework == name]
        for result in own:
            if result.status == "failed":
                yield Row(status="FAIL", label="MNIST", text=smoke_text(result))
            elif result.status == "passed" and result.stage in ("accuracy", "together"):
                yield Row(status="ok", label="MNIST", text=smoke_text(result))
        passed = sum(result.status == "passed" for result in own)
        why = (r.detail for r in own if r.stage in ("gpu", "start"))
        skipped = next(why, "")
        if own:
            text = f"{title}: {passed} of {len(own)} stages passed"
            text = f"{text}; {skipped}" if skipped else text
            yield Row(status="none", label="MNIST", text=text)


def smoke_text(result: SmokeResult) -> str:
    """One stage of the smoke test: what, on which device, what it said."""
    words = (presence.FRAMEWORK_NAMES[result.framework], result.stage, result.preset)
    what = " ".join(word for word in words if word)
    where = f" on {result.device}" if result.device else ""
    return f"{what}{where}: {result.detail}" if result.detail else f"{what}{where}"


def _other_environments(snapshot: Snapshot) -> Iterator[Row]:
    others = [
        env
        for env in snapshot.environments
        if not env.is_target and presence.frameworks(env)
    ]
    for env in others[:3]:
        names = ", ".join(
            f"{presence.FRAMEWORK_NAMES[name]} {framework.version or ''}".strip()
            for name, framework in presence.frameworks(env).items()
        )
        yield Row(status="none", label="also here", text=f"{names} in {env.prefix}")
    if len(others) > 3:
        text = f"{len(others) - 3} more environments"
        yield Row(status="none", label="also here", text=text)


def _status(report: Report, subject: str) -> Status:
    """The worst finding about a part decides its word."""
    about = {f.severity for f in report.findings if f.subject.startswith(subject)}
    if "error" in about:
        return "FAIL"
    return "warn" if "warning" in about else "ok"


def machine_line(snapshot: Snapshot) -> str:
    """The machine in a few words: "Ubuntu 24.04, x86_64, 1 GPU"."""
    host = snapshot.host
    parts = [host.distribution or host.os, host.machine]
    if snapshot.gpus is not None:
        count = len(snapshot.gpus)
        parts.append(f"{count} GPU" if count == 1 else f"{count} GPUs")
    return ", ".join(part for part in parts if part)
