"""cuDNN would be loaded in pieces from two different copies.

What it checks
--------------
cuDNN 8 and newer are one main library and several others it opens itself. The rule
looks where each of them would be found; all must come from one folder.

Why it matters
--------------
The main library can be the right one while its parts come from a system copy in front
of it on LD_LIBRARY_PATH: then the first convolution ends in «Unable to load any of
libcudnn_cnn.so», CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, or a crash.

How to fix
----------
Take the folder of the other copy off LD_LIBRARY_PATH.

References
----------
- https://github.com/m-bain/whisperX/issues/1297
- https://github.com/pytorch/pytorch/issues/119989
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.fw202_cuda_library_shadowed import is_elsewhere, search_path_fixes
from fwdoctor.rules.fw301_cudnn_mismatch import MAIN_LIBRARY, find_cudnn
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, ResolvedLibrary, Snapshot


@rule(
    "FW302",
    "cudnn-mixture",
    cause="cudnn-mismatch",
    needs=("target",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Parts of cuDNN that come from another folder than the main library."""
    del matrices
    for name, framework in presence.frameworks(snapshot.target).items():
        main = find_cudnn(framework)
        strays = [lib for lib in _parts(framework) if main and _is_stray(lib, main)]
        if not main or not strays:
            continue
        product = presence.product_name(name, framework)
        first = strays[0]
        folders = [posixpath.dirname(lib.path or "") for lib in (first, main)]
        yield Problem(
            subject=product,
            message=f"{product} would load {first.soname} from {folders[0]}"
            f" and {main.soname} from {folders[1]}",
            detail=f"{len(strays)} parts of cuDNN are found through {first.via}",
            evidence=tuple(
                Evidence(fact=lib.soname, value=lib.path or "", source=lib.via or "")
                for lib in (main, *strays[:4])
            ),
            fix=search_path_fixes(first, snapshot.target),
            certainty="likely",
        )


def _parts(framework: Framework) -> list[ResolvedLibrary]:
    return [
        lib
        for lib in framework.libraries or ()
        if lib.soname.startswith("libcudnn")
        and not lib.soname.startswith(MAIN_LIBRARY)
        and lib.path
    ]


def _is_stray(part: ResolvedLibrary, main: ResolvedLibrary) -> bool:
    """In another folder, and not known to be the same version."""
    if posixpath.dirname(part.path or "") == posixpath.dirname(main.path or ""):
        return False
    if not is_elsewhere(part):
        return False
    return None in (part.version, main.version) or part.version != main.version
