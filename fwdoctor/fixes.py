"""Fixes as data: the commands that mend something, in the user's own tools.

Nothing here runs anything. Package manager and distribution come from the snapshot;
versions come from the caller, who has them from a matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Fix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.matrix import DriverBranch
    from fwdoctor.model.snapshot import Environment, Snapshot
    from fwdoctor.versions import DriverVersion

# Distribution family → names in os-release's ID and ID_LIKE; first match wins.
_FAMILIES = {
    "ubuntu": ("ubuntu", "pop", "linuxmint"),
    "debian": ("debian",),
    "dnf": ("rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn"),
    "suse": ("suse", "opensuse", "sles"),
    "arch": ("arch", "cachyos", "manjaro"),
}
CONDA_MANAGERS = ("conda", "mamba", "pixi")


def manager_of(environment: Environment | None) -> str:
    """The package manager to speak: the one that made the environment, else pip."""
    return (environment.manager if environment else None) or "pip"


def install_command(
    environment: Environment | None,
    requirements: Iterable[str],
    *,
    index_url: str | None = None,
    force: bool = False,
    no_deps: bool = False,
) -> str:
    """One install command for Python packages, in the environment's own manager.

    `requirements` are in pip's spelling; for conda they must be match specs already.
    """
    manager = manager_of(environment)
    specs = [_quote(spec) for spec in requirements]
    if manager in CONDA_MANAGERS:
        return " ".join([*_conda_lead(manager, environment), *specs])
    words = _pip_words(environment, "install")
    if force:
        words.append("--reinstall" if manager == "uv" else "--force-reinstall")
    if no_deps:
        words.append("--no-deps")
    words.extend(specs)
    if index_url:
        words.append(f"--index-url {index_url}")
    return " ".join(words)


def uninstall_command(environment: Environment | None, names: Iterable[str]) -> str:
    """One command that removes these distributions."""
    manager = manager_of(environment)
    if manager in CONDA_MANAGERS:
        return " ".join([manager, "remove", *names])
    words = _pip_words(environment, "uninstall")
    if manager != "uv":
        words.append("-y")
    return " ".join([*words, *names])


def python_command(environment: Environment | None, code: str) -> str:
    """A line that runs `code` in the environment's interpreter, to verify a fix."""
    python = environment.python if environment else None
    is_here = environment is None or environment.is_active or not python
    return f"{'python' if is_here else _quote(python or '')} -c {_quote(code)}"


def check_command(environment: Environment | None) -> str:
    """The `fwdoctor check` line that looks at this environment again."""
    if environment is None or environment.is_active:
        return "fwdoctor check"
    return f"fwdoctor check --python {_quote(environment.prefix)}"


def driver_upgrade(
    snapshot: Snapshot, matrices: Matrices, least: DriverVersion | None
) -> Fix:
    """How to get a driver of at least this version onto this machine."""
    name = f"driver {least} or newer" if least else "a newer driver"
    if snapshot.host.is_wsl:
        why = f"install {name} on Windows; WSL takes its driver from there"
        return Fix(effort="host-root", why=why, verify="nvidia-smi")
    if snapshot.host.is_tegra:
        why = "flash a newer JetPack; on Jetson the driver comes with it"
        return Fix(effort="host-root", why=why)
    if snapshot.container is not None and snapshot.container.kind:
        why = f"install {name} on the host, outside this container"
        return Fix(effort="host-root", why=why, verify="nvidia-smi")
    return Fix(
        effort="reboot",
        commands=_driver_commands(snapshot, matrices, least),
        why=f"install {name}",
        verify="nvidia-smi",
    )


def _driver_commands(
    snapshot: Snapshot, matrices: Matrices, least: DriverVersion | None
) -> tuple[str, ...]:
    branch = driver_branch_for(snapshot, matrices, least)
    if branch is None or snapshot.host.os != "linux":
        return ()
    is_open = branch.open_modules == "default" and not _has_gpu_without_open_modules(
        snapshot, matrices
    )
    return driver_install(snapshot, branch.branch, is_open=is_open)


def driver_branch_for(
    snapshot: Snapshot, matrices: Matrices, least: DriverVersion | None
) -> DriverBranch | None:
    """The oldest long-lived branch, still supported, that serves these GPUs."""
    month = (snapshot.created_at or "")[:7]
    needed = {
        device.architecture
        for cc in presence.capabilities(snapshot)
        if (device := matrices.find_architecture(cc))
    }
    for branch in matrices.driver_branches():
        is_long_lived = branch.kind in ("LTS", "production")
        is_alive = not branch.end_of_life or branch.end_of_life >= month
        is_enough = least is None or branch.branch >= least.branch
        if is_long_lived and is_alive and is_enough:
            if needed <= set(branch.architectures):
                return branch
    return None


def _has_gpu_without_open_modules(snapshot: Snapshot, matrices: Matrices) -> bool:
    devices = [matrices.find_architecture(cc) for cc in presence.capabilities(snapshot)]
    return not devices or any(d and d.open_modules == "impossible" for d in devices)


def driver_install(
    snapshot: Snapshot, branch: int, *, is_open: bool
) -> tuple[str, ...]:
    """Commands that install a driver branch on this distribution; () if not known."""
    family = _family(snapshot)
    opened = "-open" if is_open else ""
    if family == "ubuntu":
        return (f"sudo apt install nvidia-driver-{branch}{opened}", "sudo reboot")
    if family == "debian":
        package = "nvidia-open" if is_open else "nvidia-driver"
        return (f"sudo apt install {package}", "sudo reboot")
    if family == "dnf":
        package = "nvidia-open" if is_open else "cuda-drivers"
        return (f"sudo dnf install {package}", "sudo reboot")
    if family == "suse":
        return ("sudo zypper install nvidia-open-driver-G06-signed", "sudo reboot")
    if family == "arch":
        return (f"sudo pacman -Syu nvidia{opened}", "sudo reboot")
    return ()


def _family(snapshot: Snapshot) -> str | None:
    """The distribution family whose commands work here."""
    host = snapshot.host
    names = (host.distribution_id or "", *host.distribution_like)
    for family, members in _FAMILIES.items():
        if any(name in members for name in names):
            return family
    return None


def reboot(why: str) -> Fix:
    """Restart the machine."""
    return Fix(
        effort="reboot", commands=("sudo reboot",), why=why, verify="nvidia-smi"
    )


def _pip_words(environment: Environment | None, verb: str) -> list[str]:
    python = environment.python if environment else None
    is_here = environment is None or environment.is_active or not python
    if manager_of(environment) == "uv":
        where = [] if is_here else ["--python", _quote(python or "")]
        return ["uv", "pip", verb, *where]
    return ["pip", verb] if is_here else [_quote(python or ""), "-m", "pip", verb]


def _conda_lead(manager: str, environment: Environment | None) -> list[str]:
    if manager == "pixi":
        return ["pixi", "add"]
    where = []
    if environment is not None and not environment.is_active:
        where = ["--prefix", _quote(environment.prefix)]
    return [manager, "install", *where, "-c", "conda-forge"]


def _quote(text: str) -> str:
    safe = all(character.isalnum() or character in "@%+:,./-_" for character in text)
    if safe and text:
        return text
    for special in ("\\", '"', "$", "`"):
        text = text.replace(special, "\\" + special)
    return f'"{text}"'
