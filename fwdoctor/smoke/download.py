"""`--download`: the examined environment's own loader fetches the whole set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError
from fwdoctor.process import run_child
from fwdoctor.smoke.dataset import find_full
from fwdoctor.smoke.runner import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwdoctor.model.snapshot import Environment
    from fwdoctor.smoke.dataset import Mnist

DOWNLOAD_TIMEOUT_S = 600.0


def download(
    target: Environment | None, home: str, env: Mapping[str, str] | None = None
) -> Mnist | None:
    """The whole set after torchvision or Keras fetched it into their usual places.

    Raises UsageError with the loader's last words when it failed.
    """
    if target is None or target.python is None:
        raise UsageError("no-environment", "no Python environment to download with")
    child = run_child(
        [
            os.path.abspath(target.python),
            "-B",
            os.path.join(TASKS, "download_mnist.py"),
            os.path.join(home, ".cache", "fwdoctor"),
        ],
        timeout_s=DOWNLOAD_TIMEOUT_S,
        env={**(os.environ if env is None else env), "HOME": home},
    )
    if not child.is_success:
        words = [line for line in child.stderr.splitlines() if line.strip()]
        reason = words[-1].strip() if words else child.reason
        raise UsageError(
            "download-failed",
            f"MNIST could not be downloaded: {reason}",
            hint="give the whole set with --data PATH",
        )
    return find_full(home)
