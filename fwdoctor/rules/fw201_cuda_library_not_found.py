"""A framework cannot find a CUDA library it needs.

What it checks
--------------
Every NVIDIA library the installed PyTorch or TensorFlow needs is looked up as the
dynamic loader would: RPATH and RUNPATH in the ELF files, LD_LIBRARY_PATH, the loader's
cache and default folders, and the frameworks' own preloading. The first library that is
found nowhere is named, also when a copy of it is installed in a place that is not
searched. No version is consulted: the files decide. A file of that name which is no
library ends the loader's search, and is named as what is in the way.

Why it matters
--------------
PyTorch then fails to import. TensorFlow imports, says «Cannot dlopen some GPU
libraries», skips the GPU, and in current releases does not say which library it was.

How to fix
----------
Install a release whose library search is complete, or put the folder of the copy on
LD_LIBRARY_PATH before Python starts. Where no copy is installed, reinstall the
framework with its dependencies.

References
----------
- https://man7.org/linux/man-pages/man8/ld.so.8.html
- https://github.com/tensorflow/tensorflow/issues/66987
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, ResolvedLibrary, Snapshot


@rule(
    "FW201",
    "cuda-library-not-found",
    cause="cuda-lib-missing",
    needs=("target",),
    explains=("FW407", "FW411"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Libraries that the loader would not find, per framework."""
    for name, framework in presence.frameworks(snapshot.target).items():
        missing = missing_libraries(framework)
        if framework.kind != "cuda" or not _is_wanted(name, snapshot, missing):
            continue
        broken = [lib for lib in missing if _what_is_in_the_way(lib)]
        if broken:
            yield _broken(name, framework, broken, snapshot)
        elif missing:
            yield _problem(name, framework, missing, snapshot, matrices)


def missing_libraries(framework: Framework) -> list[ResolvedLibrary]:
    """The libraries found nowhere, in the order they are asked for."""
    return [lib for lib in framework.libraries or () if lib.path is None]


def _what_is_in_the_way(library: ResolvedLibrary) -> str | None:
    """The file that the loader meets under this name and cannot use."""
    path, colon, _ = (library.via or "").partition(": ")
    return path if library.path is None and colon and path.startswith("/") else None


def _broken(
    name: str, framework: Framework, broken: list[ResolvedLibrary], snapshot: Snapshot
) -> Problem:
    """A file of that name comes first and is no library: the search ends there."""
    product = presence.product_name(name, framework)
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    paths = [path for lib in broken if (path := _what_is_in_the_way(lib))]
    return Problem(
        subject=product,
        message=f"{product} cannot load {broken[0].soname}{more}: a broken file is in"
        " the way",
        detail=broken[0].via or "",
        evidence=tuple(
            Evidence(fact=lib.soname, value=lib.via or "", source=lib.needed_by)
            for lib in broken[:5]
        ),
        fix=(_out_of_the_way(paths, snapshot),),
        severity="warning" if presence.is_observed_working(framework) else None,
        blocks=(name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )


def _out_of_the_way(paths: list[str], snapshot: Snapshot) -> Fix:
    folders = list(dict.fromkeys(posixpath.dirname(path) for path in paths))
    value = snapshot.env_vars.get("LD_LIBRARY_PATH", "")
    listed = {folder.rstrip("/") for folder in value.split(":")}
    verify = fixes.check_command(snapshot.target)
    if listed.issuperset(folders):
        return Fix(
            effort="environment",
            commands=(fixes.without_folders(value, folders),),
            why="take the folder with the broken file off LD_LIBRARY_PATH",
            verify=verify,
        )
    why = f"remove or replace {paths[0]}"
    return Fix(effort="environment", why=why, verify=verify)


def _is_wanted(name: str, snapshot: Snapshot, missing: list[ResolvedLibrary]) -> bool:
    """TensorFlow without any CUDA library is FW504's; without a wish, nobody's."""
    target = snapshot.target
    if name == "torch" or target is None:
        return True
    if not any(lib.intended for lib in missing) and not _has_some(target.tensorflow):
        return False
    is_wanted = presence.wants_gpu(target, name)
    return is_wanted or presence.has_nvidia_gpu(snapshot) is True


def _has_some(framework: Framework | None) -> bool:
    libraries = (framework.libraries if framework else None) or ()
    return any(lib.path for lib in libraries)


def _problem(
    name: str,
    framework: Framework,
    missing: list[ResolvedLibrary],
    snapshot: Snapshot,
    matrices: Matrices,
) -> Problem:
    product = presence.product_name(name, framework)
    first = next((lib for lib in missing if lib.intended), missing[0])
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return Problem(
        subject=product,
        message=f"{product} cannot find {first.soname}{more}",
        detail=_detail(first),
        evidence=tuple(
            Evidence(fact=lib.soname, value="not found", source=lib.needed_by)
            for lib in missing[:5]
        ),
        fix=_fixes(name, framework, missing, snapshot, matrices),
        severity="warning" if presence.is_observed_working(framework) else None,
        blocks=(name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )


def _detail(library: ResolvedLibrary) -> str:
    if library.intended is None:
        return f"{library.needed_by} asks for it, and no copy was found"
    folder = posixpath.dirname(library.intended)
    return f"a copy is in {folder}, a folder that {library.needed_by} does not search"


def _fixes(
    name: str,
    framework: Framework,
    missing: list[ResolvedLibrary],
    snapshot: Snapshot,
    matrices: Matrices,
) -> tuple[Fix, ...]:
    copies = [lib.intended for lib in missing if lib.intended]
    if not copies and framework.version:
        again = fixes.install_command(
            snapshot.target, [presence.product_pin(name, framework)], force=True
        )
        why = "reinstall it with its dependencies"
        return (Fix(effort="environment", commands=(again,), why=why),)
    folders = dict.fromkeys(posixpath.dirname(copy) for copy in copies)
    search = Fix(
        effort="environment",
        commands=(_export(folders),),
        why="put the folder on the search path before Python starts",
        verify=fixes.check_command(snapshot.target),
    )
    return (*working_builds(snapshot, matrices, name), search)


def _export(folders: Iterable[str]) -> str:
    joined = fixes.shell_word(":".join(folders))
    return f"export LD_LIBRARY_PATH={joined}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
