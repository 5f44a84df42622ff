"""Is there an NVIDIA GPU, and does an installed framework want one?

The two questions that decide whether a missing driver is a fault or simply a machine
without a GPU. Pure functions over a snapshot; None is «unknown».
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.compat import OsName
    from fwdoctor.model.snapshot import Environment, Framework, PciDevice, Snapshot
    from fwdoctor.versions import ComputeCapability, CudaVersion


# https://docs.nvidia.com/deploy/nvml-api/ (nvmlReturn_t)
NVML_DRIVER_NOT_LOADED = 9
NVML_NO_LIBRARY = 12

FRAMEWORK_NAMES = {"torch": "PyTorch", "tensorflow": "TensorFlow"}
# Drivers that hand a GPU to a virtual machine: it is not this system's.
PASSED_THROUGH = ("vfio-pci", "pci-stub", "pciback")
BUILD_NAMES = {"cpu": "CPU", "rocm": "ROCm", "xpu": "XPU", "metal": "Metal"}
# Packages through which a framework reaches a GPU without CUDA.
_OTHER_WAYS = {
    "torch": {
        "torch-directml": "DirectML",
        "torch-npu": "Ascend",
        "torch-xla": "XLA",
        "habana-torch-plugin": "Gaudi",
    },
    "tensorflow": {
        "tensorflow-directml": "DirectML",
        "tensorflow-directml-plugin": "DirectML",
        "intel-extension-for-tensorflow": "XPU",
    },
}


def has_nvidia_gpu(snapshot: Snapshot) -> bool | None:
    """Whether the machine has an NVIDIA GPU, driver or not; None when unknown."""
    if snapshot.gpus or _has_tegra_gpu(snapshot) or _cuda_sees_one(snapshot):
        return True
    if any(_is_nvidia_gpu(device) for device in snapshot.pci or ()):
        return True
    is_bus_known = snapshot.pci is not None and not snapshot.host.is_wsl
    if is_bus_known and not _kernel_answers(snapshot):
        return False  # driver files may lie about; the bus has no GPU for them
    if _has_driver_traces(snapshot):
        return True
    if snapshot.host.is_wsl or snapshot.pci is None:
        return False if snapshot.gpus == () else None
    return False


def _is_nvidia_gpu(device: PciDevice) -> bool:
    """A GPU this system may use: one passed to a virtual machine is not."""
    is_ours = device.kernel_driver not in PASSED_THROUGH
    return device.vendor == "nvidia" and device.kind == "gpu" and is_ours


def _cuda_sees_one(snapshot: Snapshot) -> bool:
    libcuda = snapshot.driver.libcuda
    return libcuda is not None and bool(libcuda.device_count)


def _kernel_answers(snapshot: Snapshot) -> bool:
    """Whether a kernel module is loaded: its file says so, or NVML got past it."""
    driver = snapshot.driver
    if driver.kernel_module is not None:
        return True
    return driver.nvml_code not in (None, NVML_DRIVER_NOT_LOADED, NVML_NO_LIBRARY)


def _has_tegra_gpu(snapshot: Snapshot) -> bool:
    return snapshot.host.is_tegra is True


def _has_driver_traces(snapshot: Snapshot) -> bool:
    return _kernel_answers(snapshot) or snapshot.driver.version is not None


def wants_gpu(environment: Environment, name: str) -> bool:
    """Whether this environment's framework was installed for NVIDIA GPUs on purpose.

    A PyTorch build for CUDA is what `pip install torch` gives on Linux, so it alone is
    no wish; NVIDIA's library wheels beside TensorFlow, or a CUDA local label, are.
    """
    framework = frameworks(environment).get(name)
    if framework is None or framework.kind != "cuda":
        return False
    if name == "tensorflow":
        return bool(nvidia_packages(environment, framework.cuda))
    return framework.source != "pypi"


def other_way(environment: Environment | None, name: str) -> str | None:
    """What this framework reaches a GPU by, if not by CUDA: ROCm, DirectML."""
    framework = frameworks(environment).get(name)
    if framework is not None and framework.kind in ("rocm", "xpu", "metal"):
        return BUILD_NAMES[framework.kind]
    ways = _OTHER_WAYS.get(name, {})
    packages = (environment.packages if environment else None) or ()
    return next((ways[p.name] for p in packages if p.name in ways), None)


def frameworks(environment: Environment | None) -> dict[str, Framework]:
    """The installed frameworks by name: torch, tensorflow."""
    if environment is None:
        return {}
    found = {"torch": environment.torch, "tensorflow": environment.tensorflow}
    return {name: item for name, item in found.items() if item is not None}


def nvidia_packages(
    environment: Environment, cuda: CudaVersion | None = None
) -> dict[str, str]:
    """Installed NVIDIA library wheels, name to version; only of `cuda`'s major."""
    wheels = {
        package.name: package.version
        for package in environment.packages or ()
        if package.name.startswith("nvidia-") and package.name != "nvidia-ml-py"
    }
    if cuda is None:
        return wheels
    suffix = f"-cu{cuda.major}"
    return {name: v for name, v in wheels.items() if name.endswith(suffix)}


def find_package(environment: Environment | None, name: str) -> str | None:
    """The version of an installed package, by normalised name."""
    packages = (environment.packages if environment else None) or ()
    return next((p.version for p in packages if p.name == name), None)


def capabilities(snapshot: Snapshot) -> tuple[ComputeCapability, ...]:
    """Distinct compute capabilities of the machine's GPUs, lowest first."""
    found = {gpu.compute_capability for gpu in snapshot.gpus or ()}
    return tuple(sorted(cc for cc in found if cc is not None))


def driver_os(snapshot: Snapshot) -> OsName:
    """Whose driver numbering holds: under WSL the driver is the Windows one."""
    is_windows = snapshot.host.os == "windows" or snapshot.host.is_wsl
    return "windows" if is_windows else "linux"


def driver_cuda(snapshot: Snapshot) -> CudaVersion | None:
    """The CUDA driver API version that programs here meet."""
    libcuda = snapshot.driver.libcuda
    if libcuda is not None and libcuda.cuda_driver_version is not None:
        return libcuda.cuda_driver_version
    return snapshot.driver.cuda_driver_version


def product_name(name: str, framework: Framework) -> str:
    """The installed product as its package manager names it: "torch 2.9.1"."""
    return f"{framework.package or name} {framework.version or ''}".strip()


def is_observed_working(framework: Framework) -> bool:
    """Whether the framework was seen using the GPU; then tables only warn."""
    return framework.deep is not None and framework.deep.gpu_available is True


def product_pin(name: str, framework: Framework) -> str:
    """The exact requirement of what is installed: "torch==2.9.1"."""
    return f"{framework.package or name}=={framework.version}"
