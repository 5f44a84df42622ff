"""The facts of one machine, as probed, read from a file, or pasted.

Every field that was not established is None or empty; why it was not is in the
`ProbeReport` of the probe that should have. No user names, host names or tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from fwdoctor.model.lazy_dataclass import dataclass
from fwdoctor.versions import ComputeCapability, CudaVersion, DriverVersion

SCHEMA_VERSION = 1

ProbeStatus = Literal["ok", "absent", "denied", "timeout", "error", "not-run"]
Origin = Literal["live", "file", "pasted", "image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What became of one probe: its status, the reason if not ok, milliseconds."""

    name: str
    status: ProbeStatus
    reason: str = ""
    ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """Operating system, processor and limits of the machine."""

    os: Literal["linux", "windows", "macos"] | None = None
    distribution: str | None = None  # "Ubuntu 24.04.1 LTS"
    distribution_id: str | None = None  # "ubuntu"
    distribution_like: tuple[str, ...] = ()
    distribution_version: str | None = None
    kernel: str | None = None
    machine: str | None = None  # "x86_64", "aarch64"
    libc: Literal["glibc", "musl"] | None = None
    libc_version: str | None = None
    cpu_model: str | None = None
    cpu_flags: tuple[str, ...] | None = None  # only flags a rule asks about
    cpu_count: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None  # cgroup limit
    shm_bytes: int | None = None  # size of /dev/shm
    shm_free_bytes: int | None = None
    memlock_bytes: int | None = None  # None: unlimited or unknown
    is_wsl: bool | None = None
    is_tegra: bool | None = None
    tegra_release: str | None = None  # "R36 (release), REVISION: 4.0"
    is_virtual_machine: bool | None = None
    secure_boot: bool | None = None
    compilers: Mapping[str, str] = field(default_factory=dict)  # {"gcc": "12.2.0"}
    tools: tuple[str, ...] = ()  # programs on PATH that a fix may use: uv, conda, apt …
    is_root: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """A display, 3D or bridge device on the PCI bus, from /sys."""

    address: str  # "0000:01:00.0"
    vendor: Literal["nvidia", "amd", "intel", "other"]
    device_id: str  # four hex digits, "2684"
    kind: Literal["gpu", "nvswitch", "other"]
    kernel_driver: str | None = None  # module bound to it: nvidia, nouveau, vfio-pci


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverPackage:
    """An installed (or half-removed) driver package of dpkg, rpm or DKMS."""

    name: str
    version: str
    manager: Literal["dpkg", "rpm", "dkms"]
    state: str = "installed"
    kernel: str | None = None  # DKMS: the kernel it was built for


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageEvent:
    """One line of the package manager's history about the NVIDIA driver."""

    when: str
    action: str  # upgrade, install, remove
    package: str
    from_version: str | None = None
    to_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LibCuda:
    """The user-mode driver libcuda.so.1 / nvcuda.dll and what it answered."""

    path: str | None = None  # the file the loader takes, symlinks resolved
    kind: Literal["driver", "compat", "stub", "wsl", "tegra", "unknown"] | None = None
    version: DriverVersion | None = None  # from the file name or package
    init_code: int | None = None  # cuInit's answer; 0 is success
    cuda_driver_version: CudaVersion | None = None
    device_count: int | None = None
    load_error: str | None = None  # the loader's words when it does not open
    others: tuple[str, ...] = ()  # further copies found
    # The same without CUDA_VISIBLE_DEVICES; None where that is not set.
    unmasked_init_code: int | None = None
    unmasked_device_count: int | None = None
    gpus: tuple[Gpu, ...] = ()  # as CUDA numbers them: visible ones, fastest first


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaSmi:
    """What the nvidia-smi program said, when it had to be asked."""

    path: str | None = None
    exit_code: int | None = None
    error: str | None = None
    driver_version: DriverVersion | None = None
    cuda_driver_version: CudaVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FabricManager:
    """The service that NVSwitch machines need before CUDA starts."""

    version: DriverVersion | None = None
    is_installed: bool | None = None
    is_running: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The NVIDIA driver: kernel-mode part, user-mode part, packages."""

    version: DriverVersion | None = None  # from the best source that answered
    version_source: str | None = None  # nvml, proc, sys, nvidia-smi, pasted …
    cuda_driver_version: CudaVersion | None = None
    kernel_module: DriverVersion | None = None  # version of the loaded module
    kernel_module_flavour: Literal["open", "proprietary"] | None = None
    modules_loaded: tuple[str, ...] | None = None  # nvidia, nvidia_uvm, nouveau …
    modules_on_disk: tuple[DriverVersion, ...] | None = None  # for this kernel
    nvml_code: int | None = None  # nvmlInit's answer; 0 is success, 12 no library
    nvml_version: DriverVersion | None = None  # the library's own version
    nvml_path: str | None = None
    libcuda: LibCuda | None = None
    nvidia_smi: NvidiaSmi | None = None
    fabric_manager: FabricManager | None = None
    packages: tuple[DriverPackage, ...] | None = None
    history: tuple[PackageEvent, ...] | None = None
    cuda_name: str | None = None  # pasted «CUDA version» of unknown origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MigInstance:
    """One MIG compute instance of a GPU."""

    name: str | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One NVIDIA GPU as NVML (or a paste) describes it."""

    index: int
    name: str | None = None
    uuid: str | None = None  # redacted: "GPU-xxxxxxxx…"
    pci_address: str | None = None
    pci_device_id: str | None = None
    compute_capability: ComputeCapability | None = None
    memory_bytes: int | None = None
    memory_used_bytes: int | None = None
    mig_enabled: bool | None = None
    mig_instances: tuple[MigInstance, ...] | None = None
    compute_mode: (
        Literal["default", "exclusive-thread", "prohibited", "exclusive-process"] | None
    ) = None
    persistence: bool | None = None
    ecc_enabled: bool | None = None
    ecc_uncorrected: int | None = None  # volatile, since the last reset
    retired_pages: int | None = None
    retirement_pending: bool | None = None
    remapped_rows: int | None = None
    remapping_pending: bool | None = None
    remapping_failed: bool | None = None
    fabric_state: (
        Literal["not-supported", "not-started", "in-progress", "completed"] | None
    ) = None
    fabric_status: int | None = None  # NVML code of the fabric probe
    error_code: int | None = None  # NVML code when its handle could not be had


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """A device file under /dev that CUDA opens."""

    path: str
    exists: bool
    mode: str | None = None  # "crw-rw-rw-"
    group: str | None = None  # name of the owning group, video or render
    is_accessible: bool | None = None  # readable and writable by us
    open_error: str | None = None  # errno name met on opening: EPERM, EACCES, EIO


@dataclass(frozen=True, slots=True, kw_only=True)
class XidEvent:
    """One Xid line of the kernel log."""

    code: int
    pci_address: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The container or batch job around us, and what it asked of the GPU runtime."""

    kind: (
        Literal["docker", "podman", "kubernetes", "singularity", "lxc", "other"] | None
    ) = None  # None: not in a container
    nvidia_visible_devices: str | None = None
    nvidia_driver_capabilities: str | None = None
    nvidia_require_cuda: str | None = None
    has_driver_mounts: bool | None = None  # the toolkit mounted driver files
    scheduler: Literal["slurm", "lsf", "pbs"] | None = None
    scheduler_gpus: str | None = None  # what the job was given


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolkit:
    """A CUDA toolkit tree on disk."""

    path: str
    version: CudaVersion | None = None
    full_version: str | None = None
    is_active: bool = False  # its nvcc is the first on PATH
    has_nvcc: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A copy of an NVIDIA library outside the Python environments."""

    name: str  # cudnn, cublas, nccl, tensorrt, cudart, cuda-compat …
    path: str
    soname: str | None = None
    version: str | None = None
    origin: str | None = None  # "dpkg libcudnn9-cuda-12", "conda", "toolkit" …
    is_on_loader_path: bool | None = None
    found_via: str | None = None  # ld.so.cache, LD_LIBRARY_PATH, CUDA_HOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An installed Python or conda package of a target environment."""

    name: str  # normalised, PEP 503
    version: str
    installer: str | None = None  # pip, uv, conda, poetry …
    channel: str | None = None  # conda channel or index name
    build_string: str | None = None
    direct_url: str | None = None  # host and path only
    requires: tuple[str, ...] = ()  # only of framework and companion packages
    location: str | None = None  # the site-packages folder holding it


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClash:
    """A file that two installed distributions both claim, with other content."""

    path: str  # relative to site-packages
    owners: tuple[str, ...]  # distributions whose RECORD lists it
    winner: str | None = None  # whose recorded size is on disk
    is_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedLibrary:
    """Where the loader would find one soname a framework needs."""

    soname: str
    needed_by: str  # file name of the object that asks
    path: str | None = None  # None: not found
    via: str | None = None  # RPATH, RUNPATH, LD_LIBRARY_PATH, ld.so.cache, preload …
    intended: str | None = None  # the copy the framework was installed with
    version: str | None = None
    intended_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepResult:
    """What a framework said when it was really imported in a child process."""

    stage: str  # last stage begun: start, import, devices, done
    status: Literal["ok", "failed", "crashed", "timeout"]
    gpu_available: bool | None = None
    device_count: int | None = None
    device_names: tuple[str, ...] = ()
    version: str | None = None
    cuda: str | None = None
    cudnn_built: str | None = None
    cudnn_loaded: str | None = None
    compute_capabilities: tuple[ComputeCapability, ...] = ()
    libraries: tuple[str, ...] = ()  # NVIDIA libraries mapped, from /proc/PID/maps
    error: str | None = None  # exception type and first line
    signal: str | None = None  # SIGSEGV, SIGILL …
    output: str = ""  # tail of stderr


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """An installed PyTorch or TensorFlow, read from its files (or a paste)."""

    version: str | None = None  # public version, without local label
    package: str | None = None  # distribution: torch, tensorflow, tensorflow-gpu …
    local_label: str | None = None  # cu126, cpu
    kind: Literal["cuda", "cpu", "rocm", "xpu", "metal", "unknown"] = "unknown"
    cuda: CudaVersion | None = None  # CUDA runtime version it was built for
    cuda_text: str | None = None  # as written, "12.5.1"
    cudnn: str | None = None  # cuDNN version it was built for, as far as written
    compute_capabilities: tuple[ComputeCapability, ...] | None = None  # SASS
    ptx: tuple[ComputeCapability, ...] | None = None
    source: (
        Literal["pypi", "pytorch-index", "conda-forge", "pytorch", "defaults", "other"]
        | None
    ) = None  # where the package came from
    build_string: str | None = None
    path: str | None = None  # the package folder
    problem: str | None = None  # what could not be read, file and reason
    libraries: tuple[ResolvedLibrary, ...] | None = None
    gpu_available: bool | None = None  # as observed or pasted
    deep: DeepResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project whose lock file says what an environment holds."""

    manager: Literal["uv", "poetry"]
    folder: str  # of its pyproject.toml
    has_sources: bool = False  # it names package indexes for uv already


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A Python environment and what is installed in it."""

    prefix: str
    python: str | None = None  # path of its interpreter
    kind: Literal["venv", "conda", "system", "pyenv", "pasted"] | None = None
    manager: Literal["uv", "pip", "conda", "mamba", "pixi", "poetry"] | None = None
    project: Project | None = None
    python_version: str | None = None  # "3.12.4"
    is_free_threaded: bool | None = None
    machine: str | None = None  # architecture of the interpreter
    bits: int | None = None
    is_target: bool = False  # the one being judged
    is_active: bool = False
    packages: tuple[Package, ...] | None = None
    torch: Framework | None = None
    tensorflow: Framework | None = None
    clashes: tuple[FileClash, ...] | None = None
    shadowing: tuple[str, ...] = ()  # files that hide a package: ./torch.py, user site
    problem: str | None = None  # why it could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line met in a paste, taken apart; nothing of it is ever run."""

    tool: str  # pip, uv, conda, mamba, pixi, poetry, docker, dockerfile, apt …
    action: str = ""  # install, create, run …
    text: str = ""  # as pasted, redacted
    requirements: tuple[str, ...] = ()  # "torch==1.8.1+cu102", "cudatoolkit=10.2"
    sources: tuple[str, ...] = ()  # index URLs, find-links pages, conda channels
    image: str | None = None  # of docker run, FROM …
    gpus: str | None = None  # --gpus all, --runtime nvidia; None: none asked for
    offered: tuple[str, ...] | None = None  # pip: «from versions: …»
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A known message met in a log or paste, matched by the message catalogue."""

    id: str
    text: str
    line: int = 0
    captures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A fact replaced by `--assume`, shown in every report."""

    fact: str
    value: str
    was: str | None = None


SmokeKind = Literal[
    "missing",  # the framework is not installed
    "unsupported",  # a framework too old for the test
    "no-gpu",  # a GPU was asked for and none is seen
    "not-on-device",  # tensors lie elsewhere than asked
    "error",  # an exception
    "out-of-memory",
    "wrong-numbers",  # it ran, and its numbers are not the right ones
    "did-not-learn",  # loss not finite or not falling, accuracy too low
    "not-released",  # memory kept
    "crashed",  # died of a signal
    "killed",  # SIGKILL: most often for want of memory
    "timeout",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SmokeResult:
    """One stage of a smoke test in one framework."""

    framework: Literal["torch", "tensorflow"]
    stage: str
    status: Literal["passed", "failed", "skipped"]
    detail: str = ""
    seconds: float = 0.0
    preset: str | None = None  # the model, for stages that train
    device: str | None = None  # cpu, cuda:0, cuda:0+cuda:1
    kind: SmokeKind | None = None  # of a failure
    signal: str | None = None  # SIGSEGV …


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything known about one machine."""

    schema_version: int = SCHEMA_VERSION
    created_at: str | None = None  # ISO 8601, UTC
    origin: Origin = "live"
    host: Host = field(default_factory=Host)
    driver: Driver = field(default_factory=Driver)
    pci: tuple[PciDevice, ...] | None = None
    gpus: tuple[Gpu, ...] | None = None  # None: unknown; (): asked, none there
    device_nodes: tuple[DeviceNode, ...] | None = None
    xids: tuple[XidEvent, ...] | None = None
    container: Container | None = None
    toolkits: tuple[Toolkit, ...] | None = None
    libraries: tuple[Library, ...] | None = None
    environments: tuple[Environment, ...] = ()
    env_vars: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    commands: tuple[Command, ...] = ()  # pasted only
    smoke: tuple[SmokeResult, ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    probes: tuple[ProbeReport, ...] = ()

    @property
    def target(self) -> Environment | None:
        """The environment being judged, if any."""
        return next((env for env in self.environments if env.is_target), None)

    @property
    def smoke_test(self) -> tuple[SmokeResult, ...] | None:
        """The stages of the smoke test; None where nothing was run."""
        is_run = any(result.status != "skipped" for result in self.smoke)
        return self.smoke if is_run else None

    def find_probe(self, name: str) -> ProbeReport | None:
        """The report of the named probe."""
        return next((probe for probe in self.probes if probe.name == name), None)
