"""Which facts a rule needs, and the reason in words where one is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fwdoctor.model.snapshot import Snapshot

# First step of a fact's path → the probes that could have established it.
_PROBES_OF: dict[str, tuple[str, ...]] = {
    "host": ("host",),
    "pci": ("pci",),
    "gpus": ("nvml", "nvidia-smi"),
    "device_nodes": ("device-nodes",),
    "xids": ("kernel-log",),
    "container": ("container",),
    "toolkits": ("toolkit",),
    "libraries": ("libraries",),
    "env_vars": ("env-vars",),
    "driver.libcuda": ("libcuda",),
    "driver": ("nvml", "driver-files", "nvidia-smi"),
    "target": ("environments",),
}
_NAMES = {"target.torch": "PyTorch", "target.tensorflow": "TensorFlow"}


class Needs:
    """What is known of one snapshot; each path is looked up once for all rules."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._reasons: dict[str, str | None] = {}

    def missing(self, needs: tuple[str, ...]) -> str | None:
        """The reason why a rule with these needs cannot run, or None when it can."""
        for path in needs:
            if path not in self._reasons:
                is_known = _is_known(self._snapshot, path)
                self._reasons[path] = (
                    None if is_known else _reason(self._snapshot, path)
                )
            reason = self._reasons[path]
            if reason is not None:
                return reason
        return None


def _is_known(snapshot: Snapshot, path: str) -> bool:
    value: Any = snapshot
    for step in path.split("."):
        value = getattr(value, step, None)
        if value is None:
            return False
    return True


def _reason(snapshot: Snapshot, path: str) -> str:
    if path == "smoke_test":
        return "the smoke test was not run"
    target = snapshot.target
    for prefix, name in _NAMES.items():
        if path.startswith(prefix) and target is not None and not target.problem:
            if getattr(target, prefix.partition(".")[2]) is None:
                return f"{name} is not installed in {target.prefix}"
    for report in _reports(snapshot, path):
        if report.status not in ("ok", "not-run"):
            return f"{path} is not known ({report.name}: {report.reason})"
    return f"{path} is not known"


def _reports(snapshot: Snapshot, path: str) -> list[Any]:
    for length in (2, 1):
        names = _PROBES_OF.get(".".join(path.split(".")[:length]))
        if names:
            return [r for name in names if (r := snapshot.find_probe(name))]
    return []
