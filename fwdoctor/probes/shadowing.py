"""Files that are imported instead of, or mixed into, an installed framework.

A script called torch.py beside the user's own, a copy of torch on PYTHONPATH, packages
in the user's own site-packages that an environment picks up as well.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwdoctor.probes.source import Source

# Packages whose replacement breaks a framework in ways that do not name the file.
NAMES = ("torch", "tensorflow", "keras", "numpy", "torchvision", "triton")
_NATIVE = ("torch", "tensorflow")
_MOST_LISTED = 20


def find_shadowing(
    source: Source,
    cwd: str,
    site_packages: Sequence[str],
    own_folders: Sequence[str],
) -> tuple[str, ...]:
    """Paths that hide or mix with installed packages, most decisive first.

    `site_packages` are all folders in import order, `own_folders` those inside the
    environment itself.
    """
    found = [
        *_in_working_folder(source, cwd, site_packages),
        *_in_foreign_folders(source, site_packages, own_folders),
    ]
    return tuple(dict.fromkeys(found))[:_MOST_LISTED]


def _in_working_folder(
    source: Source, cwd: str, site_packages: Sequence[str]
) -> Iterator[str]:
    """Modules that `python script.py` and `python -c` would import from here."""
    if source.env.get("PYTHONSAFEPATH") or source.resolve(cwd) in site_packages:
        return
    for name in NAMES:
        if not _is_installed(source, name, site_packages):
            continue
        yield from _modules(source, cwd, name)


def _is_installed(source: Source, name: str, site_packages: Sequence[str]) -> bool:
    return any(source.is_dir(f"{folder}/{name}") for folder in site_packages)


def _modules(source: Source, folder: str, name: str) -> Iterator[str]:
    """A module or regular package; a bare folder loses to an installed package."""
    if source.exists(posixpath.join(folder, name, "__init__.py")):
        yield posixpath.join(folder, name)
    elif source.exists(posixpath.join(folder, f"{name}.py")):
        yield posixpath.join(folder, f"{name}.py")


def _in_foreign_folders(
    source: Source, site_packages: Sequence[str], own_folders: Sequence[str]
) -> Iterator[str]:
    """Copies from PYTHONPATH and the user's site-packages.

    One that comes first wins. NVIDIA's libraries mix wherever they stand, because
    `nvidia` is a namespace over all folders.
    """
    own = [folder for folder in site_packages if folder in own_folders]
    for folder in site_packages:
        if folder in own_folders or not own:
            continue
        comes_first = site_packages.index(folder) < site_packages.index(own[0])
        for name in NAMES:
            if comes_first and _is_installed(source, name, own):
                yield from _modules(source, folder, name)
        has_framework = any(_is_installed(source, name, own) for name in _NATIVE)
        if has_framework and source.list_dir(f"{folder}/nvidia"):
            yield f"{folder}/nvidia"
