"""Every release in our data, installed with what belongs to it, raises no alarm.

Judged by the rules on the host, on PyTorch's companions and on Python packages.
"""

from __future__ import annotations

import re

import pytest

from fwdoctor.judge import judge
from fwdoctor.matrices.load import Matrices
from fwdoctor.model.matrix import Release
from fwdoctor.model.snapshot import (
    Environment,
    Framework,
    Host,
    Package,
    Snapshot,
)

MATRICES = Matrices()
SITE = "/opt/env/site-packages"
OWN = ("FW0", "FW40", "FW41", "FW6")
NOT_OWN = ("FW401", "FW402", "FW403")
HOST = Host(
    os="linux",
    machine="x86_64",
    libc="glibc",
    libc_version="2.39",
    cpu_flags=("avx", "avx2"),
    compilers={"gcc": "13.2.0"},
)
_EXACT = re.compile(r"(?:==|~=|>=)([\d.]+)")


def wheel(name: str, version: str) -> Package:
    return Package(name=name, version=version, installer="uv", location=SITE)


def pinned(specs: dict[str, str]) -> list[Package]:
    """The lowest version that each specifier lets in."""
    found = ((name, _EXACT.search(spec)) for name, spec in specs.items())
    return [wheel(name, match[1]) for name, match in found if match]


def alarms(environment: Environment) -> list[str]:
    snapshot = Snapshot(host=HOST, pci=(), gpus=(), environments=(environment,))
    report = judge(snapshot, MATRICES, select=OWN, ignore=NOT_OWN)
    crashed = [
        f"{o.code} {o.reason}" for o in report.outcomes if o.outcome == "crashed"
    ]
    return crashed + [f"{f.code} {f.message}" for f in report.findings]


def python_of(release: Release) -> str:
    return f"{release.python[-1]}.1" if release.python else "3.12.1"


@pytest.mark.parametrize("version", MATRICES.versions("torch"))
def test_torch_with_its_partners(version: str) -> None:
    release = MATRICES.find_release("torch", version)
    assert release is not None
    build = next(v for v in release.variants if v.cuda and v.index == "pypi")
    triton = MATRICES.raw(f"torch/{version}.json").get("triton") or {}
    partners = {k: f"=={v[-1]}" for k, v in release.companions.items() if v}
    numpy = "2.1.0" if release.numpy2.get("linux") else "1.26.4"
    packages = [
        wheel("torch", version),
        wheel("numpy", numpy),
        *pinned(partners),
        *pinned(dict(build.nvidia_pins)),
        *pinned({"triton": triton.get("spec") or ""}),
    ]
    torch = Framework(
        version=version, package="torch", kind="cuda", cuda=build.cuda, source="pypi"
    )
    assert not alarms(
        Environment(
            prefix="/opt/env",
            python_version=python_of(release),
            packages=tuple(packages),
            torch=torch,
            is_target=True,
            bits=64,
        )
    )


@pytest.mark.parametrize("version", MATRICES.versions("tensorflow"))
def test_tensorflow_with_what_it_asks_for(version: str) -> None:
    release = MATRICES.find_release("tensorflow", version)
    assert release is not None
    build = next((v for v in release.variants if v.cuda), None)
    wanted = {
        name: str(spec)  # one that differs by Python is a list
        for name, spec in release.requires.items()
        if name in ("numpy", "protobuf", "keras")
    }
    extra = dict(release.extras.get("and-cuda", {}))
    legacy = release.companions.get("tf-keras", ())
    packages = [
        wheel("tensorflow", version),
        *pinned(wanted),
        *pinned({name: str(spec) for name, spec in extra.items()}),
        *(wheel("tf-keras", text) for text in legacy[-1:]),
    ]
    tensorflow = Framework(
        version=version,
        package="tensorflow",
        kind="cuda" if build else "cpu",
        cuda=build.cuda if build else None,
        source="pypi",
    )
    assert not alarms(
        Environment(
            prefix="/opt/env",
            python_version=python_of(release),
            packages=tuple(packages),
            tensorflow=tensorflow,
            is_target=True,
            bits=64,
        )
    )
