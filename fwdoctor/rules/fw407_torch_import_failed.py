"""Importing PyTorch fails.

What it checks
--------------
With `--deep`, PyTorch is imported in a child process. The rule reports an exception, a
signal or a hang during the import, with the stage and the last words. Where another
finding explains the failure, this one is shown as its consequence.

Why it matters
--------------
Nothing that uses PyTorch runs. An import that fails although all files are in place
mostly meets a wrong library of the host: MKL («undefined symbol: iJIT_NotifyEvent»),
libstdc++ («GLIBCXX_… not found»), OpenMP, or the Visual C++ runtime («WinError 126»,
«WinError 1114»).

How to fix
----------
Mend the library that the message names; otherwise reinstall PyTorch with its
dependencies into a new environment.

References
----------
- https://github.com/pytorch/pytorch/issues/123097
- https://github.com/pytorch/pytorch/issues/131662
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import reinstall_torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Certainty
    from fwdoctor.model.snapshot import DeepResult, Framework, Snapshot

# Words that name a library of the host as the culprit.
_HOST_LIBRARY = re.compile(
    r"iJIT_|GLIBCXX_|CXXABI_|libstdc\+\+|libgomp|libiomp5|libomp|libmkl_|WinError"
    r"|DLL load failed|static TLS"
)


@rule(
    "FW407",
    "torch-import-failed",
    cause="host-runtime-lib",
    needs=("target.torch.deep",),
    explains=("FW411",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """An import that ended otherwise than well."""
    del matrices
    torch = snapshot.target.torch if snapshot.target else None
    deep = torch.deep if torch else None
    if torch is None or deep is None or deep.status == "ok" or deep.stage != "import":
        return
    product = presence.product_name("torch", torch)
    yield Problem(
        subject=product,
        message=f"importing {product} {_ending(deep)}",
        detail=_last_words(deep),
        certainty=_certainty(deep),
        evidence=(
            Evidence(
                fact="torch import",
                value=deep.signal or deep.error or deep.status,
                source="deep",
            ),
        ),
        fix=_fixes(torch, deep, snapshot),
        blocks=("torch",),
    )


def _ending(deep: DeepResult) -> str:
    if deep.status == "timeout":
        return "did not end in time"
    if deep.signal:
        return f"ended in {deep.signal}"
    return f"fails: {deep.error.rstrip('.')}" if deep.error else "fails"


def _last_words(deep: DeepResult) -> str:
    lines = [line.strip() for line in deep.output.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _certainty(deep: DeepResult) -> Certainty:
    told = f"{deep.error or ''}\n{deep.output}"
    return "likely" if _HOST_LIBRARY.search(told) else "possible"


def _fixes(torch: Framework, deep: DeepResult, snapshot: Snapshot) -> tuple[Fix, ...]:
    told = f"{deep.error or ''}\n{deep.output}"
    again = Fix(
        effort="environment",
        commands=(reinstall_torch(snapshot.target, torch),),
        why="reinstall PyTorch with its dependencies",
        verify=fixes.python_command(snapshot.target, "import torch"),
    )
    if "iJIT_" in told:
        why = "use PyTorch from conda-forge or PyPI, which bring a fitting MKL"
        return (Fix(effort="environment", why=why), again)
    if "WinError" in told or "DLL load failed" in told:
        why = "install Microsoft's newest Visual C++ redistributable"
        return (Fix(effort="host-root", why=why), again)
    return (again,)
