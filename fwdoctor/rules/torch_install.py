"""Commands that install again what is there, in the way it came: index, pip or conda.

For fixes of the rules FW4xx and FW6xx that change packages beside a framework.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.rules.installed import CONDA_SOURCES

if TYPE_CHECKING:
    from fwdoctor.model.snapshot import Environment, Framework, Package

PYTORCH_INDEX = "https://download.pytorch.org/whl"
_PIP_INSTALLERS = ("pip", "uv")


def index_of(torch: Framework) -> str | None:
    """The index URL to name, or None where the default index has the build."""
    if torch.source == "pytorch-index" and torch.local_label:
        return f"{PYTORCH_INDEX}/{torch.local_label}"
    return None


def managed(environment: Environment | None, package: Package) -> Environment | None:
    """The environment with the manager that put this package there: pip in conda."""
    is_pip = package.channel is None and package.installer in _PIP_INSTALLERS
    if environment is None or not _is_conda(environment) or not is_pip:
        return environment
    return replace(environment, manager="pip")


def install_like(
    environment: Environment | None,
    package: Package,
    requirement: str,
    *,
    torch: Framework | None = None,
    force: bool = False,
) -> str:
    """The command that puts `requirement` in the place of an installed package.

    `torch` names the index to take it from; `force` replaces that package alone.
    """
    place = managed(environment, package)
    return fixes.install_command(
        place,
        [requirement.replace("==", "=") if _is_conda(place) else requirement],
        index_url=index_of(torch) if torch else None,
        force=force,
        no_deps=force,
    )


def reinstall_torch(environment: Environment | None, torch: Framework) -> str:
    """The command that installs the same PyTorch over itself."""
    manager = fixes.manager_of(environment)
    if _is_conda(environment) and torch.source in CONDA_SOURCES:
        if manager == "pixi":
            return "pixi reinstall pytorch"
        command = fixes.install_command(
            environment,
            [f"pytorch={torch.version}"],
            channel=torch.source or "conda-forge",
        )
        return f"{command} --force-reinstall"
    place = environment
    if environment is not None and _is_conda(environment):
        place = replace(environment, manager="pip")
    return fixes.install_command(
        place,
        [presence.product_pin("torch", torch) if torch.version else "torch"],
        index_url=index_of(torch),
        force=True,
    )


def _is_conda(environment: Environment | None) -> bool:
    return fixes.manager_of(environment) in fixes.CONDA_MANAGERS
