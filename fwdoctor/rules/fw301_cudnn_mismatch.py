"""The cuDNN that would be loaded does not fit the framework's build.

What it checks
--------------
Which libcudnn the loader would find for each framework (and, with `--deep`, which one
was really loaded), against the version the framework was built for. cuDNN of the same
major version and an equal or newer minor one fits; everything else does not.

Why it matters
--------------
PyTorch raises «cuDNN version incompatibility», TensorFlow says «Loaded runtime CuDNN
library … but source was compiled with …» and fails at the first convolution.

How to fix
----------
Take the other copy off the search path, or install the cuDNN wheel the framework asks
for.

References
----------
- https://docs.nvidia.com/deeplearning/cudnn/latest/api/overview.html
- https://github.com/tensorflow/tensorflow/issues/60913
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.model.finding import Evidence, Problem
from fwdoctor.rules.fw202_cuda_library_shadowed import is_elsewhere, search_path_fixes
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

MAIN_LIBRARY = "libcudnn.so"


@rule(
    "FW301",
    "cudnn-mismatch",
    cause="cudnn-mismatch",
    needs=("target",),
    explains=("FW302", "FW407", "FW411"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """The resolved or loaded cuDNN of each framework against its build."""
    del matrices
    for name, framework in presence.frameworks(snapshot.target).items():
        library = find_cudnn(framework)
        loaded = _loaded(framework) or (library.version if library else None)
        built = _built(framework, library)
        if loaded is None or built is None:
            continue
        verdict = compat.cudnn_agrees(built, loaded)
        if verdict.ok is False:
            yield _problem(name, framework, library, loaded, snapshot.target)


def find_cudnn(framework: Framework) -> ResolvedLibrary | None:
    """How the framework's main cuDNN library resolves."""
    libraries = framework.libraries or ()
    found = (lib for lib in libraries if lib.soname.startswith(MAIN_LIBRARY))
    return next((lib for lib in found if lib.path), None)


def _loaded(framework: Framework) -> str | None:
    return framework.deep.cudnn_loaded if framework.deep else None


def _built(framework: Framework, library: ResolvedLibrary | None) -> str | None:
    if framework.cudnn is not None:
        return framework.cudnn
    if framework.deep is not None and framework.deep.cudnn_built:
        return framework.deep.cudnn_built
    return library.intended_version if library else None


def _problem(
    name: str,
    framework: Framework,
    library: ResolvedLibrary | None,
    loaded: str,
    target: Environment | None,
) -> Problem:
    product = presence.product_name(name, framework)
    built = _built(framework, library)
    is_other = library is not None and is_elsewhere(library)
    folder = posixpath.dirname(library.path or "") if library else ""
    place = f" from {folder}" if is_other else ""
    return Problem(
        subject=product,
        message=f"{product} was built for cuDNN {built} and would load {loaded}{place}",
        detail=f"found through {library.via}" if library and library.via else "",
        evidence=(
            Evidence(
                fact=library.soname if library else "cudnn",
                value=library.path or "" if library else loaded,
                source=library.via or "" if library else "deep",
            ),
        ),
        fix=search_path_fixes(library, target) if library and is_other else (),
        severity="warning" if presence.is_observed_working(framework) else None,
        blocks=(name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )
