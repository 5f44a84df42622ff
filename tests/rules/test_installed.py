"""What is read out of versions, labels and requirements."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from fwdoctor.matrices.load import Matrices
from fwdoctor.model.snapshot import Environment, Framework, Host, Package, Snapshot
from fwdoctor.rules import installed

SITE = "/opt/env/lib/python3.12/site-packages"


@pytest.mark.parametrize(
    ("label", "major"),
    [
        ("cu121", 12),
        ("cu102", 10),
        ("cu92", 9),
        ("cu12torch2.5cxx11abifalse", 12),
        ("pt25cu124", 12),
        ("cpu", 0),
        ("pt25cpu", 0),
        ("rocm6.4", None),
        ("nv25.02", None),
        ("", None),
    ],
)
def test_cuda_major_of_label(label: str, major: int | None) -> None:
    assert installed.cuda_major_of_label(label) == major


@pytest.mark.parametrize(
    ("label", "minors"),
    [
        ("pt25cu124", ((2, 5),)),
        ("pt212cu130", ((2, 1), (2, 12))),
        ("pt113cu117", ((1, 1), (1, 13))),
        ("cu12torch2.5cxx11abifalse", ((2, 5),)),
        ("pt2.4.1cu121", ((2, 4),)),
        ("cu121", ()),
        ("nv25.02", ()),
    ],
)
def test_torch_minors_of_label(label: str, minors: tuple[tuple[int, int], ...]) -> None:
    assert installed.torch_minors_of_label(label) == minors


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("<6.0.0dev,>=3.20.3,!=4.21.0", ">=3.20.3,<6.0.0"),
        ("==9.10.2.21", "==9.10.2.21"),
        ("~=3.9.0", "~=3.9.0"),
    ],
)
def test_short_spec(spec: str, text: str) -> None:
    assert installed.short_spec(SpecifierSet(spec)) == text


@pytest.mark.parametrize(
    ("version", "is_outside"),
    [("2.9.1+cu126", False), ("2.9.0", True), ("not a version", False), (None, False)],
)
def test_local_labels_and_unknown_versions_are_never_outside(
    version: str | None, is_outside: bool
) -> None:
    parsed = installed.parse_version(version)
    assert installed.is_outside(parsed, SpecifierSet("==2.9.1")) is is_outside
    assert installed.is_outside(parsed, None) is False


def test_unreadable_requirements_are_passed_over() -> None:
    package = Package(
        name="tensorflow",
        version="2.20.0",
        requires=(
            "numpy>=1.26.0",
            "protobuf (broken",
            'nvidia-cudnn-cu12>=9.3; extra == "and-cuda"',
            'tensorflow-intel==2.20.0; platform_system == "Windows"',
            "absl-py",
        ),
    )
    snapshot = Snapshot(host=Host(os="linux", machine="x86_64"))
    assert set(installed.asked_for(package, snapshot)) == {"numpy"}
    with_extra = installed.asked_for(package, snapshot, extra="and-cuda")
    assert set(with_extra) == {"numpy", "nvidia-cudnn-cu12"}
    windows = Snapshot(host=Host(os="windows", machine="AMD64"))
    assert "tensorflow-intel" in installed.asked_for(package, windows)


def test_conda_records_are_not_read_as_wheel_requirements() -> None:
    package = Package(
        name="pytorch", version="2.9.1", channel="conda-forge", requires=("numpy>=1",)
    )
    assert installed.asked_for(package, Snapshot()) == {}


@pytest.mark.parametrize(
    ("copies", "version"),
    [
        ([("1.26.4", SITE)], "1.26.4"),
        ([("1.26.4", None), ("2.1.3", SITE)], "2.1.3"),
        ([("1.26.4", "/usr/lib/python3/dist-packages"), ("2.1.3", SITE)], None),
        ([], None),
    ],
    ids=["one", "conda record and file", "two folders", "none"],
)
def test_find_installed_says_nothing_where_copies_differ(
    copies: list[tuple[str, str | None]], version: str | None
) -> None:
    packages = tuple(
        Package(name="numpy", version=text, location=place) for text, place in copies
    )
    found = installed.find_installed(
        Environment(prefix="/opt/env", packages=packages), "numpy"
    )
    assert (found.version if found else None) == version


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_every_linux_wheel_is_known_by_what_it_says_of_itself(
    framework: str, matrices: Matrices
) -> None:
    here = Snapshot(host=Host(os="linux", machine="x86_64"))
    for release in matrices.releases(framework):
        for variant in release.variants:
            if "linux-x86_64" not in variant.platforms:
                continue
            is_from_pypi = variant.index == "pypi"
            wheel = Framework(
                version=release.version,
                package=variant.package,
                local_label=None if is_from_pypi else variant.variant,
                source="pypi" if is_from_pypi else "pytorch-index",
            )
            assert installed.find_variant(release, wheel, here) == variant


@pytest.mark.parametrize(
    "wheel",
    [
        Framework(version="2.6.0", local_label="cu126"),  # whence is not known
        Framework(version="2.6.0", local_label="cu126", source="pypi"),
        Framework(version="2.6.0", local_label="cu999", source="pytorch-index"),
        Framework(version="2.6.0", local_label="cu126", source="other"),
    ],
)
def test_a_wheel_that_may_be_another_is_not_guessed(
    wheel: Framework, matrices: Matrices
) -> None:
    release = matrices.find_release("torch", "2.6.0")
    assert release is not None
    here = Snapshot(host=Host(os="linux", machine="x86_64"))
    assert installed.find_variant(release, wheel, here) is None
