"""Torchvision or torchaudio was built for another CUDA than PyTorch, or for none.

What it checks
--------------
The CUDA major of the installed PyTorch against that of torchvision and torchaudio, from
their local version labels (`+cu126`, `+cpu`). A wheel from PyPI has no label; it was
built for the CUDA of PyPI's PyTorch of the same release. Minor versions may differ.

Why it matters
--------------
The parts import each other's libraries. «PyTorch and torchvision were compiled with
different CUDA major versions» or «Could not run 'torchvision::nms' with arguments from
the 'CUDA' backend» follow.

How to fix
----------
Install both from one index, in one command.

References
----------
- https://github.com/pytorch/vision/issues/8985
- https://pytorch.org/get-started/locally/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.fw405_companion_release_mismatch import COMPANIONS
from fwdoctor.rules.installed import (
    CONDA_SOURCES,
    cuda_major_of_label,
    find_installed,
    label_of,
)
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import install_like
from fwdoctor.solve.candidates import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Package, Snapshot

# Where PyPI's companions are known to follow PyPI's PyTorch.
_PLATFORMS = ("linux-x86_64", "windows-x86_64")


@rule(
    "FW406",
    "companion-cuda-mismatch",
    cause="companion-mismatch",
    needs=("target.torch", "target.packages"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Each companion's CUDA major against PyTorch's."""
    torch = snapshot.target.torch if snapshot.target else None
    built = _major_of(torch) if torch else None
    if torch is None or built is None or torch.source in CONDA_SOURCES:
        return
    for name in COMPANIONS:
        companion = find_installed(snapshot.target, name)
        if companion is None or companion.channel is not None:
            continue
        labelled = cuda_major_of_label(label_of(companion.version))
        other = labelled
        if labelled is None:
            other = _major_on_pypi(companion, torch, snapshot, matrices)
        if other is not None and other != built:
            is_sure = labelled is not None
            yield _problem(torch, companion, built, other, snapshot, is_sure=is_sure)


def _major_of(torch: Framework) -> int | None:
    """PyTorch's CUDA major; 0 for a CPU build, None for anything else."""
    if torch.kind == "cuda" and torch.cuda is not None:
        return torch.cuda.major
    return 0 if torch.kind == "cpu" else None


def _major_on_pypi(
    companion: Package, torch: Framework, snapshot: Snapshot, matrices: Matrices
) -> int | None:
    """The CUDA major of PyPI's wheel; None where it may be another's wheel."""
    platform = machine_of(snapshot).platform
    is_plain = "+" not in companion.version and companion.direct_url is None
    if platform not in _PLATFORMS or not is_plain:
        return None
    if snapshot.origin == "pasted":
        # A paste does not say who installed what; but a companion from the index of a
        # labelled PyTorch would carry the label too.
        if snapshot.host.os is None or torch.local_label is None:
            return None
    elif companion.installer in (None, "conda"):
        return None
    release = matrices.find_release("torch", torch.version or "")
    partners = release.companions.get(companion.name, ()) if release else ()
    if release is None or companion.version not in partners:
        return None
    majors = {
        variant.cuda.major if variant.cuda else 0
        for variant in release.variants
        if variant.index == "pypi" and platform in variant.platforms
    }
    return majors.pop() if len(majors) == 1 else None


def _problem(  # one value each of what it words
    torch: Framework,
    companion: Package,
    built: int,
    other: int,
    snapshot: Snapshot,
    *,
    is_sure: bool,
) -> Problem:
    product = presence.product_name("torch", torch)
    wheel = f"{companion.name} {companion.version}"
    return Problem(
        subject=wheel,
        message=f"{wheel} was built {_words(other)}, and {product} {_words(built)}",
        certainty="proven" if is_sure else "likely",
        severity="warning" if snapshot.origin == "pasted" and not is_sure else None,
        evidence=(
            Evidence(
                fact=companion.name,
                value=companion.version,
                source=companion.location or "",
            ),
            Evidence(
                fact="torch.cuda",
                value=torch.cuda_text or str(torch.cuda),
                source=torch.path or "torch",
            )
            if torch.cuda
            else Evidence(fact="torch.kind", value="cpu", source=torch.path or "torch"),
        ),
        fix=(_fix(torch, companion, snapshot),),
    )


def _words(major: int) -> str:
    return f"for CUDA {major}" if major else "without CUDA"


def _fix(torch: Framework, companion: Package, snapshot: Snapshot) -> Fix:
    public = companion.version.partition("+")[0]
    pin = f"{companion.name}=={public}"
    command = install_like(snapshot.target, companion, pin, torch=torch, force=True)
    return Fix(
        effort="environment",
        commands=(command,),
        why=f"take {companion.name} from the index that PyTorch came from",
        verify=fixes.python_command(snapshot.target, f"import {companion.name}"),
    )
