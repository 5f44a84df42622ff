"""The processor lacks an instruction set that the framework was compiled for.

What it checks
--------------
The processor flags the kernel lists, for AVX, where a TensorFlow wheel is installed.
With `--deep`, also whether importing PyTorch or TensorFlow ended in SIGILL.

Why it matters
--------------
All TensorFlow wheels use AVX from the first instruction on. Without it Python dies with
«Illegal instruction (core dumped)» and no further word. Virtual machines often hide the
flag although the processor has it.

How to fix
----------
In a virtual machine, pass the host's processor through. On a processor without AVX, use
a build made for it, such as conda-forge's baseline builds.

References
----------
- https://github.com/tensorflow/tensorflow/issues/17411
- https://www.tensorflow.org/install/pip
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import CONDA_SOURCES, is_imported_fine
from fwdoctor.rules.registry import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Framework, Host, Snapshot


@rule(
    "FW001",
    "cpu-without-avx",
    cause="glibc-or-cpu",
    needs=("target",),
    explains=("FW407",),
    hears=True,
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """TensorFlow wheels on a processor without AVX, and imports ended by SIGILL."""
    del matrices
    host = snapshot.host
    for name, framework in presence.frameworks(snapshot.target).items():
        is_killed = framework.deep is not None and framework.deep.signal == "SIGILL"
        # A pasted list of flags may be cut short.
        is_listed = snapshot.origin != "pasted" and _lacks_avx(name, framework, host)
        if is_killed or is_listed:
            yield _problem(name, framework, host, is_killed=is_killed)


def _lacks_avx(name: str, framework: Framework, host: Host) -> bool:
    if name != "tensorflow" or framework.source in CONDA_SOURCES:
        return False
    if host.cpu_flags is None or is_imported_fine(framework):
        return False
    is_x86 = host.machine is not None and host.machine.lower() in ("x86_64", "amd64")
    return is_x86 and "avx" not in host.cpu_flags


def _problem(
    name: str, framework: Framework, host: Host, *, is_killed: bool
) -> Problem:
    product = presence.product_name(name, framework)
    model = host.cpu_model or "this processor"
    flags = " ".join(host.cpu_flags or ())
    is_sure = not is_killed or (host.cpu_flags is not None and "avx" not in flags)
    return Problem(
        subject=product,
        message=f"importing {product} ended in SIGILL: {model} lacks an instruction"
        if is_killed
        else f"{product} needs AVX, and {model} does not offer it",
        certainty="proven" if is_sure else "likely",
        evidence=(
            Evidence(fact="cpu_flags", value=flags or "none of AVX", source="host"),
        ),
        fix=_fixes(name, host),
        blocks=(name,),  # type: ignore[arg-type]  # frameworks() keys are these words
    )


def _fixes(name: str, host: Host) -> tuple[Fix, ...]:
    package = {"torch": "pytorch"}.get(name, name)
    baseline = Fix(
        effort="environment",
        commands=(f"conda create -n {package} -c conda-forge {package}",),
        why="a conda-forge build made for older processors",
    )
    passed = Fix(
        effort="host-root",
        why="give the virtual machine its host's processor model"
        " (`host` in QEMU, `host-passthrough` in libvirt)",
        verify="grep -o -m1 -w avx /proc/cpuinfo",
    )
    return (passed, baseline) if host.is_virtual_machine else (baseline,)
