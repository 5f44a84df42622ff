"""The index an installed PyTorch came from, for fixes that must use the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwdoctor.model.snapshot import Framework

PYTORCH_INDEX = "https://download.pytorch.org/whl"


def index_of(torch: Framework) -> str | None:
    """The index URL to name, or None where the default index has the build."""
    if torch.source == "pytorch-index" and torch.local_label:
        return f"{PYTORCH_INDEX}/{torch.local_label}"
    return None
