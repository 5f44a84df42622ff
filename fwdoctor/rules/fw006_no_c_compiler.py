"""There is no C compiler, which `torch.compile` needs.

What it checks
--------------
Whether gcc, clang or cc is on PATH, where PyTorch for CUDA with Triton is installed on
a machine with an NVIDIA GPU.

Why it matters
--------------
Triton compiles a small C launcher when a kernel is first used: `torch.compile` and many
libraries then say «Failed to find C compiler». Ordinary PyTorch code does not need one,
so this is a note and no fault.

How to fix
----------
Install a C compiler, or name one in the environment variable CC. The CUDA toolkit is
not needed.

References
----------
- https://docs.pytorch.org/docs/stable/torch.compiler_faq.html
- https://github.com/triton-lang/triton
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

_CONDA_COMPILERS = ("gcc", "gcc-linux-64", "gcc-linux-aarch64", "clang", "gxx")
_INSTALL = {
    "apt": "apt install gcc libc6-dev",
    "apt-get": "apt-get install gcc libc6-dev",
    "dnf": "dnf install gcc",
    "zypper": "zypper install gcc",
    "pacman": "pacman -S gcc",
}


@rule(
    "FW006",
    "no-c-compiler",
    cause="compiler-toolchain",
    severity="info",
    needs=("target.torch", "target.packages"),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Triton without a compiler, on a machine that would use it."""
    del matrices
    target, host = snapshot.target, snapshot.host
    probe = snapshot.find_probe("host")
    was_looked_for = probe is not None and probe.status == "ok"
    if host.compilers or host.os != "linux" or not was_looked_for:
        return
    torch = target.torch if target else None
    if torch is None or torch.kind != "cuda" or not presence.has_nvidia_gpu(snapshot):
        return
    triton = presence.find_package(target, "triton")
    if triton is None or any(
        presence.find_package(target, name) for name in _CONDA_COMPILERS
    ):
        return
    yield Problem(
        subject="host",
        message=f"no C compiler is on PATH; `torch.compile` with triton {triton}"
        " needs one",
        evidence=(Evidence(fact="compilers", value="none", source="host"),),
        fix=(_fix(snapshot),),
    )


def _fix(snapshot: Snapshot) -> Fix:
    lead = "" if snapshot.host.is_root else "sudo "
    found = [_INSTALL[tool] for tool in snapshot.host.tools if tool in _INSTALL]
    return Fix(
        effort="host-root",
        commands=(f"{lead}{found[0]}",) if found else (),
        why="install a C compiler",
        verify="cc --version",
    )
