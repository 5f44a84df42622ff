"""Fixes as data: the commands that mend something, in the user's own tools.

Nothing here runs anything. Package manager and distribution come from the snapshot;
versions come from the caller, who has them from a matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.driver_branches import (
    driver_branch_for,
    gpu_capabilities,
    need_proprietary,
)
from fwdoctor.model.finding import Fix
from fwdoctor.project_commands import ProjectTool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.matrices.load import Matrices
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
    channel: str = "conda-forge",
    force: bool = False,
    no_deps: bool = False,
) -> str:
    """One install command for Python packages, in the environment's own manager.

    `requirements` are in pip's spelling; for conda they must be match specs already,
    and `channel` says where they are from.
    """
    manager = manager_of(environment)
    requirements = tuple(requirements)
    specs = [shell_word(spec) for spec in requirements]
    if manager in CONDA_MANAGERS:
        return " ".join([*_conda_lead(manager, environment, channel), *specs])
    tool = _project_tool(environment)
    if tool and not tool.leaves_alone(requirements, index_url, force=force):
        return tool.add(specs, index_url)
    words = _pip_words(environment, "install")
    if force:
        words.append("--reinstall" if manager == "uv" else "--force-reinstall")
    if no_deps:
        words.append("--no-deps")
    words.extend(specs)
    if index_url:
        words.append(index_option(index_url))
    return " ".join(words)


def index_option(url: str) -> str:
    """How pip and uv are told of an index; old ones are pages of links, not indexes."""
    return f"-f {url}" if url.endswith(".html") else f"--index-url {url}"


def _project_tool(environment: Environment | None) -> ProjectTool | None:
    """The tool whose lock file would undo a change of pip's; None where pip may."""
    if environment is None or environment.project is None:
        return None
    project = environment.project
    folder = shell_word(project.folder)
    return ProjectTool(project=project, environment=environment, folder=folder)


def uninstall_command(environment: Environment | None, names: Iterable[str]) -> str:
    """One command that removes these distributions."""
    manager = manager_of(environment)
    names = [shell_word(name) for name in names]
    if manager in CONDA_MANAGERS:
        where = [] if manager == "pixi" else _conda_prefix(environment)
        return " ".join([manager, "remove", *where, *names])
    tool = _project_tool(environment)
    if tool is not None and not any(name.startswith("nvidia-") for name in names):
        return tool.remove(names)  # NVIDIA's wheels are no requirements of a project
    words = _pip_words(environment, "uninstall")
    if manager != "uv":
        words.append("-y")
    return " ".join([*words, *names])


def python_command(environment: Environment | None, code: str) -> str:
    """A line that runs `code` in the environment's interpreter, to verify a fix."""
    python = environment.python if environment else None
    is_here = environment is None or environment.is_active or not python
    return f"{'python' if is_here else _program(python or '')} -c {shell_word(code)}"


def check_command(environment: Environment | None) -> str:
    """The `fwdoctor check` line that looks at this environment again."""
    if environment is None or environment.is_active:
        return "fwdoctor check"
    return f"fwdoctor check --python {shell_word(environment.prefix)}"


def driver_upgrade(
    snapshot: Snapshot, matrices: Matrices, least: DriverVersion | None
) -> Fix:
    """How to get a driver of at least this version onto this machine."""
    other = "a newer driver" if snapshot.driver.version else "NVIDIA's driver"
    name = f"driver {least} or newer" if least else other
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
    if snapshot.host.os != "linux":
        return ()
    capabilities = gpu_capabilities(snapshot, matrices)
    if capabilities is None and least is None:
        return _choosing_itself(snapshot)
    branch = driver_branch_for(snapshot, matrices, least)
    if branch is None:
        return ()
    is_open = branch.open_modules == "default" and not need_proprietary(
        capabilities or (), matrices
    )
    return driver_install(snapshot, branch.branch, is_open=is_open)


def _choosing_itself(snapshot: Snapshot) -> tuple[str, ...]:
    """The command that looks at the GPU itself: it is in none of our tables."""
    if _family(snapshot) != "ubuntu":
        return ()
    return ("sudo ubuntu-drivers install", "sudo reboot")


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
    if family == "suse" and is_open:
        return ("sudo zypper install nvidia-open-driver-G06-signed", "sudo reboot")
    if family == "arch" and is_open:  # older GPUs: a branch's package from the AUR
        return ("sudo pacman -Syu nvidia-open", "sudo reboot")
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
    return Fix(effort="reboot", commands=("sudo reboot",), why=why, verify="nvidia-smi")


def start_with_gpu(snapshot: Snapshot) -> tuple[Fix, ...]:
    """How to start this kind of container with the GPU."""
    container = snapshot.container
    kind = (container.kind if container else None) or "other"
    command = _CONTAINER_START.get(kind)
    start = Fix(
        effort="environment",
        commands=(command,) if command else (),
        why=_CONTAINER_WHY.get(kind, "give the container the GPU when it is started"),
        verify="nvidia-smi",
    )
    if kind not in ("docker", "podman"):
        return (start,)
    return (start, _container_toolkit(kind))


def _container_toolkit(kind: str) -> Fix:
    commands = {
        "docker": (
            "sudo nvidia-ctk runtime configure --runtime=docker",
            "sudo systemctl restart docker",
        ),
        "podman": ("sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",),
    }
    return Fix(
        effort="host-root",
        commands=commands[kind],
        why="if the flag is refused: install nvidia-container-toolkit on the host,"
        " then tell the container engine",
        verify=f"{_CONTAINER_START[kind]} nvidia-smi",
    )


_CONTAINER_START = {
    "docker": "docker run --rm --gpus all IMAGE",
    "podman": "podman run --rm --device nvidia.com/gpu=all IMAGE",
    "singularity": "singularity exec --nv IMAGE nvidia-smi",
    "lxc": "lxc config set NAME nvidia.runtime true",
}
_CONTAINER_WHY = {
    "docker": "start the container with the GPU",
    "podman": "start the container with the GPU",
    "kubernetes": "ask for the GPU in the pod: resources, limits, `nvidia.com/gpu: 1`",
    "singularity": "bind the host's driver into the container with `--nv`",
    "lxc": "pass the driver and the GPU device into the container",
}


def reload_module(module: str, why: str) -> Fix:
    """Unload and load one kernel module."""
    return Fix(
        effort="host-root",
        commands=(f"sudo modprobe -r {module}", f"sudo modprobe {module}"),
        why=why,
        verify="fwdoctor check",
    )


def kernel_headers(snapshot: Snapshot) -> tuple[str, ...]:
    """Commands that install what building a module for this kernel needs."""
    kernel = snapshot.host.kernel
    family = _family(snapshot)
    if kernel is None or family is None:
        return ()
    commands = {
        "ubuntu": f"sudo apt install linux-headers-{shell_word(kernel)}",
        "debian": f"sudo apt install linux-headers-{shell_word(kernel)}",
        "dnf": f"sudo dnf install kernel-devel-{shell_word(kernel)}",
        "suse": "sudo zypper install kernel-default-devel",
        "arch": "sudo pacman -S linux-headers",
    }
    return (commands[family],)


def rebuild_start_image(snapshot: Snapshot) -> tuple[str, ...]:
    """The command that renews the image the kernel starts from."""
    command = {
        "ubuntu": "sudo update-initramfs -u",
        "debian": "sudo update-initramfs -u",
        "dnf": "sudo dracut --force",
        "suse": "sudo dracut --force",
        "arch": "sudo mkinitcpio -P",
    }.get(_family(snapshot) or "")
    return (command,) if command else ()


def libcuda_package(
    snapshot: Snapshot, driver: DriverVersion | None
) -> tuple[str, ...]:
    """The command that installs the package holding libcuda, beside this driver."""
    command = {
        "ubuntu": f"sudo apt install libnvidia-compute-{driver.branch}"
        if driver
        else None,
        "debian": "sudo apt install libcuda1",
        "dnf": "sudo dnf install nvidia-driver-cuda",
        "arch": "sudo pacman -S nvidia-utils",
    }.get(_family(snapshot) or "")
    return (command,) if command else ()


def fabric_manager_package(
    snapshot: Snapshot, driver: DriverVersion | None
) -> tuple[str, ...]:
    """The command that installs the fabric manager of exactly this driver."""
    if driver is None:
        return ()
    family = _family(snapshot)
    if family in ("ubuntu", "debian"):
        package = f"nvidia-fabricmanager-{driver.branch}={driver}*"
        return (f"sudo apt install '{package}'",)
    if family == "dnf":
        return (f"sudo dnf install 'nvidia-fabric-manager-{driver}*'",)
    return ()


def remove_packages(snapshot: Snapshot, names: Iterable[str]) -> tuple[str, ...]:
    """Commands that remove system packages; () where the manager is not known."""
    joined = " ".join(names)
    if not joined:
        return ()
    lead = {
        "ubuntu": "sudo apt purge",
        "debian": "sudo apt purge",
        "dnf": "sudo dnf remove",
        "suse": "sudo zypper remove",
        "arch": "sudo pacman -Rs",
    }.get(_family(snapshot) or "")
    if lead is None:
        return ()
    words = lead if not snapshot.host.is_root else lead.removeprefix("sudo ")
    return (f"{words} {joined}",)


def package_of(snapshot: Snapshot, path: str) -> tuple[str, ...]:
    """The command that names the system package which owns a file."""
    command = {
        "ubuntu": "dpkg -S",
        "debian": "dpkg -S",
        "dnf": "rpm -qf",
        "suse": "rpm -qf",
        "arch": "pacman -Qo",
    }.get(_family(snapshot) or "")
    return (f"{command} {shell_word(path)}",) if command else ()


def without_folders(value: str, unwanted: Iterable[str]) -> str:
    """A shell line that sets LD_LIBRARY_PATH to `value` less some folders."""
    dropped = {folder.rstrip("/") for folder in unwanted}
    kept = [f for f in value.split(":") if f and f.rstrip("/") not in dropped]
    if not kept:
        return "unset LD_LIBRARY_PATH"
    return f"export LD_LIBRARY_PATH={shell_word(':'.join(kept))}"


def _pip_words(environment: Environment | None, verb: str) -> list[str]:
    python = environment.python if environment else None
    is_here = environment is None or environment.is_active or not python
    if manager_of(environment) == "uv":
        where = [] if is_here else ["--python", shell_word(python or "")]
        return ["uv", "pip", verb, *where]
    return ["pip", verb] if is_here else [_program(python or ""), "-m", "pip", verb]


def channel_options(channel: str) -> str:
    """How conda is told of a channel; PyTorch's takes its libraries from NVIDIA's."""
    return "-c pytorch -c nvidia" if channel == "pytorch" else f"-c {channel}"


def _conda_lead(
    manager: str, environment: Environment | None, channel: str
) -> list[str]:
    if manager == "pixi":
        return ["pixi", "add"]
    where = _conda_prefix(environment)
    return [manager, "install", *where, channel_options(channel)]


def _conda_prefix(environment: Environment | None) -> list[str]:
    """Which environment is meant, unless it is the active one."""
    if environment is None or environment.is_active:
        return []
    return ["--prefix", shell_word(environment.prefix)]


def _program(path: str) -> str:
    """A program to start; PowerShell wants & before one in quotes."""
    word = shell_word(path)
    is_quoted = word.startswith('"')
    return f"& {word}" if is_quoted and _is_windows_path(path) else word


def _is_windows_path(text: str) -> bool:
    return text[1:3] == ":/"


def shell_word(text: str) -> str:
    """The text as one word of a shell command, quoted where that is needed.

    A path of Windows, C:/…, is written for its shells.
    """
    if _is_windows_path(text):
        path = text.replace("/", "\\")
        is_safe = all(c.isalnum() or c in "\\:.+~-_" for c in path)
        return path if is_safe else f'"{path}"'
    if text.startswith("~/"):  # a tilde in quotes is not the home folder
        return f"~/{shell_word(text[2:])}" if text[2:] else text
    safe = all(character.isalnum() or character in "@%+:,./-_~" for character in text)
    if safe and text:
        return text
    for special in ("\\", '"', "$", "`"):
        text = text.replace(special, "\\" + special)
    return f'"{text}"'
