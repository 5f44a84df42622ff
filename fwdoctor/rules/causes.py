"""The closed list of causes, and the layer of the stack each one belongs to.

The layer orders findings from the base up: what is wrong below comes first, because
mending something above it would not help.
"""

from __future__ import annotations

from typing import Literal

Cause = Literal[
    "driver-missing",
    "driver-not-loaded",
    "driver-library-mismatch",
    "driver-too-old",
    "container-no-gpu",
    "device-permission",
    "visible-devices",
    "uvm-or-suspend",
    "fabric-manager",
    "forward-compat",
    "mig-config",
    "hardware-fault",
    "wsl-specific",
    "gpu-arch-too-new",
    "gpu-arch-too-old",
    "cpu-only-build",
    "no-wheel-for-platform",
    "python-unsupported",
    "wrong-index-or-pin",
    "cuda-lib-missing",
    "cuda-lib-conflict",
    "cudnn-mismatch",
    "duplicate-or-shadowed-install",
    "companion-mismatch",
    "numpy-abi",
    "protobuf-abi",
    "glibc-or-cpu",
    "host-runtime-lib",
    "shm-or-limits",
    "compiler-toolchain",
    "gpu-memory",
    "not-an-install-problem",
    "healthy",
]

# Causes that never fail a check.
HARMLESS_CAUSES = frozenset({"gpu-memory", "not-an-install-problem", "healthy"})

_LAYERS: tuple[tuple[Cause, ...], ...] = (
    # kernel and hardware
    ("hardware-fault", "driver-missing", "driver-not-loaded"),
    # driver
    ("driver-library-mismatch", "uvm-or-suspend", "fabric-manager"),
    # container and machine around it
    ("container-no-gpu", "wsl-specific", "forward-compat"),
    # device
    ("device-permission", "mig-config", "visible-devices"),
    ("driver-too-old",),
    # build
    ("no-wheel-for-platform", "cpu-only-build", "gpu-arch-too-new", "gpu-arch-too-old"),
    # library
    ("duplicate-or-shadowed-install", "cuda-lib-conflict"),
    ("cuda-lib-missing", "cudnn-mismatch"),
    # Python
    ("python-unsupported", "wrong-index-or-pin", "glibc-or-cpu", "host-runtime-lib"),
    ("companion-mismatch", "numpy-abi", "protobuf-abi"),
    # around the framework
    ("compiler-toolchain", "shm-or-limits"),
    ("gpu-memory", "not-an-install-problem", "healthy"),
)

LAYER_OF: dict[str, int] = {
    cause: layer for layer, causes in enumerate(_LAYERS) for cause in causes
}
