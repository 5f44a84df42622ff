"""The Python of this environment is a 32-bit program.

What it checks
--------------
Whether the interpreter is a 32-bit one, where no framework is installed.

Why it matters
--------------
PyTorch and TensorFlow have wheels for 64-bit Python only. pip says «No matching
distribution found», whatever release is asked for. It happens on Windows, where the
32-bit installer is easily taken by mistake.

How to fix
----------
Install a 64-bit Python and make the environment anew.

References
----------
- https://docs.python.org/3/using/windows.html
- https://www.tensorflow.org/install/pip
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


@rule(
    "FW609",
    "python-32-bit",
    cause="no-wheel-for-platform",
    needs=("target.bits",),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """A 32-bit interpreter that no framework can be installed for."""
    del matrices
    target = snapshot.target
    if target is None or target.bits != 32 or presence.frameworks(target):
        return
    has_gpu = presence.has_nvidia_gpu(snapshot)
    yield Problem(
        subject=f"Python {target.python_version or ''}".strip(),
        message="this Python is a 32-bit program, and the frameworks need 64 bits",
        severity="error" if has_gpu else "info",
        evidence=(
            Evidence(fact="bits", value="32", source=target.python or target.prefix),
        ),
        fix=(
            Fix(
                effort="environment",
                why="install a 64-bit Python and make the environment with it",
                verify="python -c \"import struct; print(8 * struct.calcsize('P'))\"",
            ),
        ),
        blocks=("torch", "tensorflow"),
    )
