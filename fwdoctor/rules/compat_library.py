"""Ways to take a cuda-compat libcuda out of the loader's sight."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import fixes
from fwdoctor.model.finding import Fix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.model.snapshot import Snapshot


def remove_compat(snapshot: Snapshot) -> tuple[Fix, ...]:
    """Drop its folder from LD_LIBRARY_PATH, or its package from the system."""
    found = tuple(_from_variable(snapshot)) or tuple(_from_packages(snapshot))
    return found or (_by_hand(snapshot),)


def _place(snapshot: Snapshot) -> str:
    libcuda = snapshot.driver.libcuda
    path = libcuda.path if libcuda else None
    return posixpath.dirname(path) if path else "the compat folder"


def _from_variable(snapshot: Snapshot) -> Iterator[Fix]:
    value = snapshot.env_vars.get("LD_LIBRARY_PATH", "")
    place = _place(snapshot)
    folders = [
        folder
        for folder in value.split(":")
        if folder.rstrip("/") == place or "compat" in posixpath.basename(folder)
    ]
    if folders:
        yield Fix(
            effort="environment",
            commands=(fixes.without_folders(value, folders),),
            why=f"take {folders[0]} out of LD_LIBRARY_PATH, here and where it is set",
            verify=fixes.check_command(snapshot.target),
        )


def _from_packages(snapshot: Snapshot) -> Iterator[Fix]:
    names = [
        package.name
        for package in snapshot.driver.packages or ()
        if package.name.startswith("cuda-compat") and package.state == "installed"
    ]
    commands = fixes.remove_packages(snapshot, names)
    if commands:
        yield Fix(
            effort="host-root",
            commands=(*commands, "sudo ldconfig"),
            why="remove the forward-compatibility package",
            verify=fixes.check_command(snapshot.target),
        )


def _by_hand(snapshot: Snapshot) -> Fix:
    return Fix(
        effort="environment",
        commands=("ldconfig -p | grep libcuda.so.1",),
        why=f"keep the loader from {_place(snapshot)}: take an image for the CUDA of"
        " the driver, or remove that folder from the loader's configuration",
        verify=fixes.check_command(snapshot.target),
    )
