"""The installed NumPy is not one the framework was built for.

What it checks
--------------
Whether NumPy 2 is installed beside a PyTorch or TensorFlow wheel that was compiled
against NumPy 1 (measured from the wheels, and different on Windows), and whether
TensorFlow's own requirement for NumPy is kept. With `--deep` the import's words decide.

Why it matters
--------------
Compiled code for NumPy 1 does not work with NumPy 2. TensorFlow fails to import with
«_ARRAY_API not found»; PyTorch imports with a long warning, and later says «Numpy is
not available».

How to fix
----------
Install a NumPy below 2, or a framework release that was built for NumPy 2.

References
----------
- https://numpy.org/doc/stable/numpy_2_0_migration_guide.html
- https://github.com/pytorch/pytorch/issues/135013
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import (
    find_asked,
    find_installed,
    find_published,
    is_imported_fine,
    is_outside,
    parse_version,
    short_spec,
)
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import install_like

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Package, Snapshot

NEW_ABI_MAJOR = 2  # the NumPy major that changed the binary interface
_COMPLAINT = re.compile(
    r"_ARRAY_API not found|compiled using NumPy 1|numpy\.dtype size changed"
    r"|module compiled against A[PB]I version"
)


@rule(
    "FW601",
    "numpy-2-with-numpy-1-build",
    cause="numpy-abi",
    needs=("target.packages",),
    explains=("FW407",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each framework's wheel against the installed NumPy."""
    numpy = find_installed(snapshot.target, "numpy")
    version = parse_version(numpy.version if numpy else None)
    if numpy is None or version is None:
        return
    for name, framework in presence.frameworks(snapshot.target).items():
        complains = _complains(framework)
        if is_imported_fine(framework) and not complains:
            continue
        is_new = version.major >= NEW_ABI_MAJOR
        is_built_for_old = is_new and _is_old_build(name, framework, snapshot, matrices)
        if complains or is_built_for_old:
            yield _broken(name, framework, numpy, snapshot)
            continue
        asked = _asked(name, framework, snapshot, matrices)
        if asked is not None and is_outside(version, asked):
            yield _outside(name, framework, numpy, asked, snapshot)


def _complains(framework: Framework) -> bool:
    deep = framework.deep
    return deep is not None and bool(
        _COMPLAINT.search(f"{deep.error or ''}\n{deep.output}")
    )


def _is_old_build(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> bool:
    """Whether the release's wheel for this system was measured to be for NumPy 1."""
    release = find_published(name, framework, matrices)
    if release is None and framework.source == "pytorch":
        release = matrices.find_release(name, framework.version or "")
    if release is None or not release.numpy2:
        return False
    flag = release.numpy2.get(snapshot.host.os or "")
    return not (any(release.numpy2.values()) if flag is None else flag)


def _asked(
    name: str, framework: Framework, snapshot: Snapshot, matrices: Matrices
) -> SpecifierSet | None:
    """The framework's own requirement for NumPy."""
    package = find_installed(snapshot.target, framework.package or name)
    release = find_published(name, framework, matrices)
    return find_asked("numpy", package, release, snapshot)


def _broken(
    name: str, framework: Framework, numpy: Package, snapshot: Snapshot
) -> Problem:
    product = presence.product_name(name, framework)
    return Problem(
        subject=f"numpy {numpy.version}",
        message=f"{product} was built for NumPy 1, and numpy {numpy.version} is"
        " installed",
        evidence=(_evidence(numpy),),
        fix=(_fix(f"numpy<{NEW_ABI_MAJOR}", name, numpy, snapshot),),
        blocks=("tensorflow",) if name == "tensorflow" else (),
    )


def _outside(
    name: str,
    framework: Framework,
    numpy: Package,
    asked: SpecifierSet,
    snapshot: Snapshot,
) -> Problem:
    product = presence.product_name(name, framework)
    wanted = short_spec(asked)
    return Problem(
        subject=f"numpy {numpy.version}",
        message=f"{product} asks for numpy {wanted}, and {numpy.version} is installed",
        severity="warning",
        certainty="likely",
        evidence=(_evidence(numpy),),
        fix=(_fix(f"numpy{wanted}", name, numpy, snapshot),),
    )


def _evidence(numpy: Package) -> Evidence:
    return Evidence(fact="numpy", value=numpy.version, source=numpy.location or "numpy")


def _fix(requirement: str, name: str, numpy: Package, snapshot: Snapshot) -> Fix:
    return Fix(
        effort="environment",
        commands=(install_like(snapshot.target, numpy, requirement),),
        why="install a NumPy that the build works with",
        verify=fixes.python_command(snapshot.target, f"import {name}"),
    )
