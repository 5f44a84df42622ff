"""Keras does not fit the installed TensorFlow.

What it checks
--------------
The installed keras against TensorFlow's requirement, tf-keras against TensorFlow's
minor version, and whether TF_USE_LEGACY_KERAS is set without tf-keras being there.

Why it matters
--------------
Each TensorFlow works with one generation of Keras. With another, `tf.keras` fails to
import («No module named 'keras.api._v2'», «cannot import name … from
'tensorflow.python.…'»), and libraries that still need Keras 2 refuse to start.

How to fix
----------
Install the keras or tf-keras of this TensorFlow release.

References
----------
- https://keras.io/getting_started/
- https://github.com/keras-team/tf-keras
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.installed import (
    find_asked,
    find_installed,
    find_published,
    has_same_minor,
    is_imported_fine,
    is_outside,
    parse_version,
    short_spec,
)
from fwdoctor.rules.registry import rule
from fwdoctor.rules.torch_install import install_like

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.specifiers import SpecifierSet

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Severity
    from fwdoctor.model.snapshot import Framework, Package, Snapshot

SWITCH = "TF_USE_LEGACY_KERAS"
_ON = ("1", "true")


@rule(
    "FW611",
    "keras-mismatch",
    cause="companion-mismatch",
    severity="warning",
    needs=("target.tensorflow.version", "target.packages"),
)
def check(snapshot: Snapshot, matrices: Matrices) -> Iterator[Problem]:
    """Keras, tf-keras and the switch between them."""
    tensorflow = snapshot.target.tensorflow if snapshot.target else None
    if tensorflow is None:
        return
    legacy = find_installed(snapshot.target, "tf-keras")
    if legacy is not None:
        yield from _check_legacy(tensorflow, legacy, snapshot)
    elif _is_switched(snapshot):
        yield from _check_switch(tensorflow, snapshot, matrices)
    yield from _check_keras(tensorflow, snapshot, matrices)


def _is_switched(snapshot: Snapshot) -> bool:
    return snapshot.env_vars.get(SWITCH, "").strip().lower() in _ON


def _check_legacy(
    tensorflow: Framework, legacy: Package, snapshot: Snapshot
) -> Iterator[Problem]:
    """Tf-keras follows TensorFlow's minor versions."""
    version, installed = (
        parse_version(tensorflow.version),
        parse_version(legacy.version),
    )
    if version is None or installed is None or version.is_prerelease:
        return
    if not has_same_minor(version, installed):
        major, minor = version.release[:2]
        yield _problem(
            tensorflow,
            legacy,
            f"~={major}.{minor}.0",
            snapshot,
            severity="error" if _is_switched(snapshot) else "warning",
        )


def _check_switch(
    tensorflow: Framework, snapshot: Snapshot, matrices: Matrices
) -> Iterator[Problem]:
    """The switch asks for a package that is not there."""
    release = find_published("tensorflow", tensorflow, matrices)
    partners = release.companions.get("tf-keras", ()) if release else ()
    if not partners:
        return  # before the switch existed, or not in our data
    product = presence.product_name("tensorflow", tensorflow)
    package = find_installed(snapshot.target, tensorflow.package or "tensorflow")
    yield Problem(
        subject="tf-keras",
        message=f"{SWITCH} is set, and tf-keras is not installed beside {product}",
        severity="error",
        evidence=(
            Evidence(fact=SWITCH, value=snapshot.env_vars[SWITCH], source="env-vars"),
        ),
        fix=(
            _fix(f"tf-keras=={partners[-1]}", package, snapshot),
            Fix(
                effort="environment",
                commands=(f"unset {SWITCH}",),
                why="or use the Keras that TensorFlow brings",
            ),
        ),
    )


def _check_keras(
    tensorflow: Framework, snapshot: Snapshot, matrices: Matrices
) -> Iterator[Problem]:
    """The keras package against what TensorFlow asks for."""
    keras = find_installed(snapshot.target, "keras")
    if keras is None or is_imported_fine(tensorflow):
        return
    asked = _asked(tensorflow, snapshot, matrices)
    version = parse_version(keras.version)
    if asked is None or version is None or not is_outside(version, asked):
        return
    floors = [parse_version(item.version) for item in asked if item.operator == ">="]
    majors = {floor.major for floor in floors if floor is not None}
    yield _problem(
        tensorflow,
        keras,
        short_spec(asked),
        snapshot,
        severity="warning" if version.major in majors else "error",
    )


def _asked(
    tensorflow: Framework, snapshot: Snapshot, matrices: Matrices
) -> SpecifierSet | None:
    """TensorFlow's own requirement for keras."""
    package = find_installed(snapshot.target, tensorflow.package or "tensorflow")
    release = find_published("tensorflow", tensorflow, matrices)
    return find_asked("keras", package, release, snapshot)


def _problem(
    tensorflow: Framework,
    keras: Package,
    wanted: str,
    snapshot: Snapshot,
    *,
    severity: Severity,
) -> Problem:
    product = presence.product_name("tensorflow", tensorflow)
    return Problem(
        subject=f"{keras.name} {keras.version}",
        message=f"{product} works with {keras.name} {wanted}, and {keras.version} is"
        " installed",
        severity=severity,
        certainty="likely",
        evidence=(
            Evidence(
                fact=keras.name,
                value=keras.version,
                source=keras.location or keras.name,
            ),
        ),
        fix=(_fix(f"{keras.name}{wanted}", keras, snapshot),),
    )


def _fix(requirement: str, like: Package | None, snapshot: Snapshot) -> Fix:
    target = snapshot.target
    command = (
        install_like(target, like, requirement)
        if like is not None
        else fixes.install_command(target, [requirement])
    )
    return Fix(
        effort="environment",
        commands=(command,),
        why="install the Keras of this TensorFlow release",
        verify=fixes.python_command(
            snapshot.target, "import tensorflow as tf; tf.keras.layers.Dense(1)"
        ),
    )
