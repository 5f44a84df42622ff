"""Questions that several rules on driver, GPU and container ask of a snapshot.

Pure functions, no findings. Where a fact is unknown the answer is the calm one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from fwdoctor import presence
from fwdoctor.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import DriverPackage, LibCuda, PciDevice, Snapshot
    from fwdoctor.versions import ComputeCapability, DriverVersion

BOTH: Final[tuple[Literal["torch"], Literal["tensorflow"]]] = ("torch", "tensorflow")

# Answers of nvmlInit and of NVML's device handles (nvml.h).
NVML_NO_PERMISSION = 4
NVML_DRIVER_NOT_LOADED = 9
NVML_LIBRARY_NOT_FOUND = 12
NVML_GPU_LOST = 15
NVML_RESET_REQUIRED = 16
NVML_OPERATING_SYSTEM = 17
NVML_VERSION_MISMATCH = 18
NVML_UNKNOWN = 999

# Answers of cuInit (cuda.h).
CUDA_STUB = 34
CUDA_NO_DEVICE = 100
CUDA_SYSTEM_NOT_READY = 802
CUDA_DRIVER_MISMATCH = 803
CUDA_COMPAT_NOT_SUPPORTED = 804
CUDA_UNKNOWN = 999

_RIVAL_MODULES = ("nouveau", "nova_core")
_DRIVER_PACKAGES = (
    "nvidia-driver",
    "nvidia-dkms",
    "nvidia-kernel",
    "nvidia-headless",
    "nvidia-open",
    "nvidia-utils",
    "libnvidia-compute",
    "libnvidia-ml1",
    "libcuda1",
    "cuda-drivers",
    "linux-modules-nvidia",
)
_GONE = ("config-files", "not-installed")


def is_in_container(snapshot: Snapshot) -> bool:
    """Whether the process runs in a container, where drivers are the host's matter."""
    return snapshot.container is not None and snapshot.container.kind is not None


def has_own_driver_kind(snapshot: Snapshot) -> bool:
    """WSL and Jetson: their driver is not the usual Linux driver package."""
    return bool(snapshot.host.is_wsl or snapshot.host.is_tegra)


def gpus_on_bus(snapshot: Snapshot) -> tuple[PciDevice, ...]:
    """NVIDIA GPUs on the PCI bus, without those handed to virtual machines."""
    return tuple(
        device
        for device in snapshot.pci or ()
        if device.vendor == "nvidia"
        and device.kind == "gpu"
        and device.kernel_driver not in presence.PASSED_THROUGH
    )


def has_gpu_to_use(snapshot: Snapshot) -> bool:
    """Whether there is a GPU, or at least nothing says that there is none."""
    if has_own_driver_kind(snapshot):
        return True
    return presence.has_nvidia_gpu(snapshot) is not False


def is_held_by_rival(device: PciDevice) -> bool:
    """Whether the kernel's own driver for NVIDIA GPUs holds the device."""
    return device.kernel_driver in _RIVAL_MODULES


def unseen_gpus(snapshot: Snapshot) -> tuple[PciDevice, ...]:
    """GPUs on the bus that the driver does not list; () when that cannot be said."""
    addresses = [_plain_address(gpu.pci_address) for gpu in snapshot.gpus or ()]
    if is_in_container(snapshot) or "" in addresses:
        return ()
    return tuple(
        device
        for device in gpus_on_bus(snapshot)
        if _plain_address(device.address) not in addresses
    )


def _plain_address(text: str | None) -> str:
    """`00000000:01:00.0` and `0000:01:00.0` are the same place."""
    domain, colon, rest = (text or "").lower().partition(":")
    return f"{domain[-4:]}:{rest}" if colon else ""


def device_name(device: PciDevice, matrices: Matrices) -> str:
    """What to call a GPU the driver did not name."""
    model = matrices.find_gpu_by_device_id(device.device_id)
    return model.name if model else f"NVIDIA GPU 10de:{device.device_id}"


def device_capability(
    device: PciDevice, matrices: Matrices
) -> ComputeCapability | None:
    """The compute capability of a GPU on the bus, from its device id."""
    model = matrices.find_gpu_by_device_id(device.device_id)
    return model.compute_capability if model else None


def libcuda_of(snapshot: Snapshot) -> LibCuda | None:
    """What the CUDA driver library said, if it was asked."""
    return snapshot.driver.libcuda


def init_code(snapshot: Snapshot) -> int | None:
    """The answer of cuInit; None when it was not asked or did not answer."""
    libcuda = snapshot.driver.libcuda
    return libcuda.init_code if libcuda else None


def cuda_works(snapshot: Snapshot) -> bool:
    """Whether CUDA started and sees a GPU: nothing below it can be badly wrong."""
    libcuda = snapshot.driver.libcuda
    return libcuda is not None and libcuda.init_code == 0 and libcuda.device_count != 0


def cuda_fails(snapshot: Snapshot) -> bool:
    """Whether CUDA was asked and did not start."""
    return init_code(snapshot) not in (0, None)


def is_module_loaded(snapshot: Snapshot) -> bool | None:
    """Whether NVIDIA's kernel module is loaded; None when that is not known."""
    driver = snapshot.driver
    if driver.kernel_module is not None:
        return True
    if driver.modules_loaded is None:
        return None
    return "nvidia" in driver.modules_loaded


def driver_packages(snapshot: Snapshot) -> tuple[DriverPackage, ...]:
    """Installed packages that hold parts of the driver, not of what is around it."""
    return tuple(
        package
        for package in snapshot.driver.packages or ()
        if package.state not in _GONE
        and (package.manager == "dkms" or package.name.startswith(_DRIVER_PACKAGES))
    )


def has_driver_on_disk(snapshot: Snapshot) -> bool:
    """Whether a driver is installed, loaded or not."""
    return bool(driver_packages(snapshot) or snapshot.driver.modules_on_disk)


def existing_nodes(snapshot: Snapshot) -> Collection[str] | None:
    """Paths of NVIDIA's device nodes that are there; None when nobody looked."""
    if snapshot.device_nodes is None:
        return None
    return {
        node.path
        for node in snapshot.device_nodes
        if node.exists and node.path.startswith("/dev/nvidia")
    }


def version_in(text: str | None) -> str:
    """The driver version in a package version: 550.144.03 of 550.144.03-0ubuntu1."""
    upstream = (text or "").partition(":")[2] or (text or "")
    return upstream.partition("-")[0]


def code_evidence(
    family: Literal["nvml", "cuda-driver"], code: int | None, matrices: Matrices
) -> Evidence:
    """An answer of nvmlInit or cuInit, by number and name."""
    known = matrices.find_code(family, code) if code is not None else None
    value = f"{code} {known.name}" if known else str(code)
    if family == "nvml":
        return Evidence(fact="nvml_code", value=value, source="nvml")
    return Evidence(fact="cuInit", value=value, source="libcuda")


def version_evidence(fact: str, version: DriverVersion | None, source: str) -> Evidence:
    """A version and where it was read."""
    return Evidence(fact=fact, value=str(version or "not known"), source=source)


def listed(words: Iterable[object]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    texts = [str(word) for word in words]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"
