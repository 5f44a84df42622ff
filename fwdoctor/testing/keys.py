"""Every key a scenario may hold, and what its value must look like.

A key is matched as a whole by a pattern; `{gpu}` and the like stand for the variable
part. docs/testing.md explains the keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_TEXT = r".*"
_NUMBER = r"-?\d+|0[xX][0-9a-fA-F]+"
_FLAG = r"[01]"
_VERSION = r"\d+(\.\d+)+"
_DOTTED = r"\d+\.\d+"
_NAMES = r"\w+(,\s*\w+)*"
_MODE = r"[0-7]{3,4}"
_PARTS = "nvml|libcuda|nvidia-smi"
_ABSENT = rf"({_PARTS})(,\s*({_PARTS}))*"
_VERSION_OR_NONE = rf"{_VERSION}|none"
_LATE = r"\d+:\d+"
_PROCESSES = r"\d+:\d+(,\s*\d+:\d+)*"
_PCI = r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(\.\d)?"

_WORDS = {
    "{n}": r"\d+",
    "{gpu}": r"gpu\.\d+",
    "{mig}": r"gpu\.\d+\.mig\.\d+",
    "{function}": r"(?:nvml|cu)[A-Z]\w*",
    "{pci}": _PCI,
    "{path}": r"/\S+",
    "{variable}": r"[A-Za-z_]\w*",
}
_SHAPES = {
    _NUMBER: "a whole number",
    _FLAG: "0 or 1",
    _VERSION: "a version such as 550.54.14",
    _DOTTED: "a number such as 9.0",
    _NAMES: "names separated by commas",
    _MODE: "an octal mode such as 0666",
    _ABSENT: "some of nvml, libcuda, nvidia-smi",
    _VERSION_OR_NONE: "a version such as 550.54.14, or none",
    _LATE: "CALLS:CODE, such as 20:15",
    _PROCESSES: "PID:MIB pairs separated by commas",
    _PCI: "a PCI address such as 0000:01:00.0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A kind of key: the pattern of its name, the pattern of its value."""

    name: str
    value: str
    shape: str  # what the value must be, in words

    def matches(self, text: str) -> bool:
        """Whether `text` is a key of this kind."""
        pattern = re.escape(self.name).replace(r"\{", "{").replace(r"\}", "}")
        for word, part in _WORDS.items():
            pattern = pattern.replace(word, part)
        return re.fullmatch(pattern, text) is not None

    def accepts(self, value: str) -> bool:
        """Whether `value` may stand behind such a key."""
        return re.fullmatch(self.value, value) is not None


def _keys(value: str, names: str) -> tuple[Key, ...]:
    shape = _SHAPES.get(value, "one of " + value.replace("|", ", "))
    return tuple(Key(name=name, value=value, shape=shape) for name in names.split())


NATIVE_KEYS: tuple[Key, ...] = (
    *_keys(_VERSION, "driver nvml_version"),
    *_keys(_NUMBER, "cuda cu_cuda nvml_init cu_init handle.{n}"),
    *_keys(_TEXT, "driver_branch {gpu}.name {gpu}.uuid {gpu}.vbios {gpu}.gsp"),
    *_keys(_NAMES, "hang crash abort omit"),
    *_keys(_NUMBER, "return.{function} delay_ms.{function} {gpu}.return.{function}"),
    *_keys(_LATE, "after_calls {gpu}.after_calls"),
    *_keys(_DOTTED, "{gpu}.cc"),
    *_keys(_PCI, "{gpu}.pci"),
    *_keys(_PROCESSES, "{gpu}.processes"),
    *_keys(_FLAG, "{gpu}.mig {gpu}.mig_pending {gpu}.persistence {gpu}.ecc"),
    *_keys(_FLAG, "{gpu}.ecc_pending {gpu}.integrated {gpu}.display_active"),
    *_keys(_FLAG, "{gpu}.remapped_pending {gpu}.remapped_failure"),
    *_keys(_FLAG, "{gpu}.retired_pending"),
    *_keys("0|1|2|3", "{gpu}.compute_mode {gpu}.fabric_state"),
    *_keys(
        _NUMBER,
        """{gpu}.memory_mib {gpu}.memory_used_mib {gpu}.memory_reserved_mib
        {gpu}.pci_device_id {gpu}.pci_subsystem_id {gpu}.architecture {gpu}.brand
        {gpu}.minor {gpu}.cores {gpu}.multiprocessors {gpu}.power_mw
        {gpu}.temperature {gpu}.throttle {gpu}.utilization {gpu}.utilization_memory
        {gpu}.virtualization {gpu}.nvlinks {gpu}.pcie_width {gpu}.pcie_width_max
        {gpu}.pcie_generation {gpu}.pcie_generation_max {gpu}.attribute.{n}
        {gpu}.ecc_corrected {gpu}.ecc_uncorrected {gpu}.ecc_corrected_lifetime
        {gpu}.ecc_uncorrected_lifetime {gpu}.remapped_correctable
        {gpu}.remapped_uncorrectable {gpu}.retired_single_bit
        {gpu}.retired_double_bit {gpu}.fabric_status {gpu}.fabric_clique
        {gpu}.fabric_health {gpu}.fabric_summary""",
    ),
    *_keys(_TEXT, "{mig}.name {mig}.uuid"),
    *_keys(
        _NUMBER,
        """{mig}.memory_mib {mig}.memory_used_mib {mig}.memory_reserved_mib
        {mig}.gpu_instance {mig}.compute_instance {mig}.multiprocessors
        {mig}.slices""",
    ),
)

MACHINE_KEYS: tuple[Key, ...] = (
    *_keys(
        _TEXT,
        """file.kernel file.os_id file.os_like file.os_name file.os_version
        file.cpu_model file.cpu_flags file.library_dir file.libcuda_dir file.tegra
        file.nodes file.modules file.dkms file.dpkg file.log.{n} file.pci.{pci}
        file.text.{path} env.{variable}""",
    ),
    *_keys(
        _NUMBER,
        """file.cpu_count file.memory_mib file.memory_available_mib file.shm_mib
        file.memory_limit_mib""",
    ),
    *_keys(_VERSION, "file.compat file.libcuda_version file.nvml_file_version"),
    *_keys(_VERSION_OR_NONE, "file.kernel_module"),
    *_keys(_FLAG, "file.nouveau file.secure_boot file.stub file.gpu_on_pci"),
    *_keys(_MODE, "file.node_mode"),
    *_keys("1|2", "file.wsl"),
    *_keys("x86_64|aarch64", "file.architecture"),
    *_keys("open|proprietary", "file.module_flavour"),
    *_keys("docker|podman|kubernetes|singularity", "file.container"),
    *_keys("running|stopped", "file.fabric_manager"),
    *_keys(_ABSENT, "file.without"),
    *_keys("normal|hang|garbage|chinese|crash", "smi.mode"),
    *_keys(_NUMBER, "smi.exit"),
    *_keys(_TEXT, "smi.text"),
)

ALL_KEYS = NATIVE_KEYS + MACHINE_KEYS
LISTS_OF_FUNCTIONS = ("hang", "crash", "abort", "omit")


def find_key(name: str) -> Key | None:
    """The kind of key `name` is, or None."""
    return next((key for key in ALL_KEYS if key.matches(name)), None)


def function_names() -> frozenset[str]:
    """The functions the C sources define."""
    definition = re.compile(
        r"^(?:int |const char \*|\w*NUMBER\w*\()((?:nvml|cu)[A-Z]\w*)", re.MULTILINE
    )
    here = Path(__file__).parent
    sources = ((here / name).read_text() for name in ("nvml.c", "cuda.c"))
    return frozenset(name for text in sources for name in definition.findall(text))
