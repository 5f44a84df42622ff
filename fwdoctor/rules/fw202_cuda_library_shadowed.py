"""Another copy of a CUDA library wins over the one the framework came with.

What it checks
--------------
Where the loader would find each NVIDIA library a framework needs, against the copy that
was installed for it. A copy elsewhere that is the same version or a newer one of the
same major is harmless and stays silent. cuDNN has rules of its own (FW301, FW302).

Why it matters
--------------
CUDA libraries of one build belong together. An older libnvJitLink or libcublasLt in
front of the intended one ends in «undefined symbol», or in errors far from the cause.

How to fix
----------
Take the other copy's folder off LD_LIBRARY_PATH. PyTorch and TensorFlow wheels need no
LD_LIBRARY_PATH; a system toolkit may stay installed.

References
----------
- https://github.com/pytorch/pytorch/issues/111469
- https://github.com/pytorch/pytorch/issues/134929
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import (
        Environment,
        Framework,
        ResolvedLibrary,
        Snapshot,
    )


@rule(
    "FW202",
    "cuda-library-shadowed",
    cause="cuda-lib-conflict",
    needs=("target",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Libraries won by a copy that is older than the intended one."""
    del matrices
    for name, framework in presence.frameworks(snapshot.target).items():
        shadowed = [
            library
            for library in framework.libraries or ()
            if is_elsewhere(library)
            and not library.soname.startswith("libcudnn")
            and _is_older(library)
        ]
        if shadowed:
            yield _problem(name, framework, shadowed, snapshot.target)


def is_elsewhere(library: ResolvedLibrary) -> bool:
    """Whether a copy other than the intended one wins."""
    return None not in (library.path, library.intended) and (
        library.path != library.intended
    )


def _is_older(library: ResolvedLibrary) -> bool:
    """Known to be an older version; what is not known is no alarm."""
    if library.version is None or library.intended_version is None:
        return False
    from packaging.version import InvalidVersion, Version

    try:
        return Version(library.version) < Version(library.intended_version)
    except InvalidVersion:
        return False


def _problem(
    name: str,
    framework: Framework,
    shadowed: list[ResolvedLibrary],
    target: Environment | None,
) -> Problem:
    product = presence.product_name(name, framework)
    first = shadowed[0]
    folder = posixpath.dirname(first.path or "")
    more = f" (and {len(shadowed) - 1} more)" if len(shadowed) > 1 else ""
    return Problem(
        subject=product,
        message=f"{product} would load {first.soname} {first.version} from {folder},"
        f" not its own {first.intended_version}{more}",
        detail=f"found through {first.via}, before the copy it was installed with",
        evidence=tuple(
            Evidence(fact=lib.soname, value=lib.path or "", source=lib.via or "")
            for lib in shadowed[:5]
        ),
        fix=search_path_fixes(first, target),
        certainty="likely",
    )


def search_path_fixes(
    library: ResolvedLibrary, target: Environment | None
) -> tuple[Fix, ...]:
    """How to get another copy of a library out of the way."""
    folder = posixpath.dirname(library.path or "")
    if library.via == "LD_LIBRARY_PATH":
        return (
            Fix(
                effort="environment",
                commands=("unset LD_LIBRARY_PATH",),
                why=f"take {folder} off LD_LIBRARY_PATH, also where it is set at login",
                verify=fixes.check_command(target),
            ),
        )
    why = f"remove or rename the copy in {folder}, or use a fresh environment"
    return (Fix(effort="environment", why=why, verify=fixes.check_command(target)),)
