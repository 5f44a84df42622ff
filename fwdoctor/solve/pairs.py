"""Releases of PyTorch and TensorFlow that share one environment without collision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.solve.candidates import find_rebuild, machine_of

if TYPE_CHECKING:
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot


def find_clean_pair(snapshot: Snapshot, matrices: Matrices) -> tuple[str, str] | None:
    """The newest (torch, tensorflow) from PyPI that resolve cleanly and run here."""
    from packaging.version import Version

    machine = machine_of(snapshot)
    clean = [
        pair
        for pair in matrices.pairs()
        if pair.outcome == "clean"
        and pair.extra == "and-cuda"
        and (machine.python is None or machine.python in pair.python)
    ]
    newest = sorted(
        {(pair.torch, pair.tensorflow) for pair in clean},
        key=lambda pair: (Version(pair[1]), Version(pair[0])),
        reverse=True,
    )
    for torch, tensorflow in newest:
        found = [
            find_rebuild("torch", torch, machine, matrices),
            find_rebuild("tensorflow", tensorflow, machine, matrices),
        ]
        if all(build is not None and build.index_url is None for build in found):
            return torch, tensorflow
    return None
