"""Facts of several parsers made one."""

from __future__ import annotations

from fwdoctor.intake.facts import Fact, Facts
from fwdoctor.intake.merge import do_agree, merge
from fwdoctor.model.snapshot import Gpu, Package


def facts(source: str, **values: str) -> Facts:
    """Facts of a parser, each on line 1."""
    told = {name: Fact(value, 1) for name, value in values.items()}
    return Facts(source=source, values=told)  # type: ignore[arg-type]  # names of facts


def test_the_more_trusted_source_counts_and_is_named() -> None:
    merged = merge([facts("a", driver="535.54.03"), facts("b", driver="470.1")])
    assert merged.get("driver") == "535.54.03"
    assert merged.sources["driver"] == "a"


def test_of_the_same_version_the_longer_text_counts() -> None:
    merged = merge([facts("a", torch="2.3"), facts("b", torch="2.3.1+cu121")])
    assert merged.get("torch") == "2.3.1+cu121"
    assert merged.others == ()


def test_another_version_of_a_framework_is_another_environment() -> None:
    merged = merge(
        [facts("a", torch="2.1.0", python="3.10"), facts("b", torch="2.3.0", bits="64")]
    )
    assert merged.get("torch") == "2.1.0"
    assert merged.get("bits") is None
    assert [item.source for item in merged.others] == ["b"]


def test_versions_agree_as_far_as_they_go() -> None:
    assert do_agree("2.3", "2.3.1")
    assert do_agree("2.3.1", "2.3.1+cu121")
    assert not do_agree("2.3.1+cpu", "2.3.1+cu121")
    assert not do_agree("2.3", "2.4")


def test_a_package_listed_by_pip_and_conda_is_one() -> None:
    pip = Facts(source="a", packages=(Package(name="numpy", version="1.26.4"),))
    conda = Package(
        name="numpy", version="1.26.4", installer="conda", build_string="py39_0"
    )
    merged = merge([pip, Facts(source="b", packages=(conda,))])
    assert merged.packages == (conda,)


def test_gpus_are_completed_by_later_sources() -> None:
    table = Facts(source="nvidia-smi", gpus=(Gpu(index=0, name="NVIDIA GeForce ..."),))
    field = Facts(source="form", gpus=(Gpu(index=0, name="RTX 3090", memory_bytes=1),))
    merged = merge([table, field])
    assert merged.gpus is not None
    assert merged.gpus[0].name == "RTX 3090"
    assert merged.gpus[0].memory_bytes == 1
