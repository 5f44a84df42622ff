"""Pairs of releases as tables: what goes together is seen at a glance."""

from __future__ import annotations

from typing import Any

from fwdoctor.report.pair_tables import partners_line, render_pairs, render_some_pairs
from fwdoctor.report.registry import RenderOptions

WHEELS = "https://download.pytorch.org/whl/"


def options(width: int = 100, *, verbose: bool = False) -> RenderOptions:
    """A terminal without colours."""
    return RenderOptions(verbosity=int(verbose), width=width)


def pair(tensorflow: str, outcome: str, **facts: Any) -> dict[str, Any]:
    """A pair of torch 2.9.1, from PyPI unless told otherwise."""
    usual: dict[str, Any] = {
        "torch": "2.9.1",
        "tensorflow": tensorflow,
        "origin": "pypi",
        "index": "pypi",
        "variant": None,
        "extra": "and-cuda",
        "platform": "linux-x86_64",
        "python": ["3.11", "3.12"],
        "outcome": outcome,
        "colliding": [],
        "confidence": "measured",
        "versions": {},
        "resolved_for": "3.12",
        "builds": [],
        "sources": [
            {
                "source": "the resolver",
                "fields": ["outcome"],
                "confidence": "measured",
                "retrieved": "2026-11-21",
            }
        ],
    }
    return {**usual, **facts}


def of_index(tensorflow: str, outcome: str, variant: str) -> dict[str, Any]:
    """A pair with a build of PyTorch's index."""
    place = {"origin": "pytorch-index", "index": WHEELS + variant, "variant": variant}
    return pair(tensorflow, outcome, **place)


MIXED = [
    pair("2.21.0", "conflict"),
    pair("2.20.0", "clean"),
    pair("2.19.1", "clean"),
    pair("2.18.0", "clobber"),
    pair("2.17.0", "clean"),
    pair("2.16.0", "unknown"),
]


def lines_of(text: str) -> list[str]:
    """The lines of a table with single blanks."""
    return [" ".join(line.split()) for line in text.splitlines()]


def test_releases_in_a_row_are_a_span() -> None:
    assert (
        "2.9.1 pypi, and-cuda 2.17.0, 2.19.1 – 2.20.0"
        " conflict 2.21.0; clobber 2.18.0; unknown 2.16.0"
    ) in lines_of(render_pairs(MIXED, options(120)))


def test_builds_with_the_same_outcomes_share_a_row() -> None:
    pairs = [
        *(of_index("2.20.0", "clean", variant) for variant in ("cu126", "cu128")),
        of_index("2.20.0", "clobber", "cu130"),
    ]
    rows = lines_of(render_pairs(pairs, options()))
    assert "2.9.1 whl/cu126, whl/cu128, and-cuda 2.20.0" in rows
    assert "2.9.1 whl/cu130, and-cuda none clobber 2.20.0" in rows
    assert sum("whl/cu" in row for row in rows) == 2


def test_another_platform_is_told() -> None:
    conda = {"origin": "conda-forge", "index": "conda-forge", "extra": None}
    pairs = [
        pair("2.20.0", "clean", **conda),
        pair("2.20.0", "conflict", platform="linux-aarch64", **conda),
    ]
    rows = lines_of(render_pairs(pairs, options()))
    assert "2.9.1 conda-forge 2.20.0" in rows
    assert "2.9.1 conda-forge linux-aarch64 none conflict 2.20.0" in rows


def test_colliding_packages_are_named_once_by_their_cuda() -> None:
    names = ["libprotobuf", "nvidia-cudnn-cu12", "nvidia-nccl-cu12", "nvidia-nccl-cu13"]
    text = render_some_pairs([pair("2.20.0", "clobber", colliding=names)], options(140))
    assert "libprotobuf; nvidia cu12: cudnn, nccl; nvidia cu13: nccl" in text


def test_a_release_that_all_pairs_share_is_the_title() -> None:
    title, _, head, *_ = lines_of(render_some_pairs(MIXED, options()))
    assert title == "torch 2.9.1"
    assert head == "tensorflow from Python outcome how colliding"
    title, *_ = lines_of(render_some_pairs(MIXED[:1], options()))
    assert title == "torch 2.9.1 with tensorflow 2.21.0"
    both = [pair("2.20.0", "clean"), pair("2.21.0", "clean", torch="2.8.0")]
    head, *_ = lines_of(render_some_pairs(both, options()))
    assert head == "torch tensorflow from Python outcome how colliding"


def test_sources_are_told_once_and_only_when_asked() -> None:
    assert "the resolver" not in render_some_pairs(MIXED, options())
    assert render_some_pairs(MIXED, options(verbose=True)).count("the resolver") == 1


def test_a_release_is_told_its_partners() -> None:
    release = {
        "framework": "torch",
        "pairs": [
            pair("2.20.0", "clean"),
            pair("2.20.0", "conflict", index="conda-forge", extra=None, origin="c"),
            of_index("2.20.0", "clobber", "cu130"),
        ],
    }
    line = ("with tensorflow", "2.20.0 (pypi, and-cuda); none (conda-forge)")
    assert partners_line(release) == line
    assert partners_line({"framework": "tensorflow", "pairs": []}) == ("with torch", "")


def test_narrow_terminals_get_every_word() -> None:
    text = render_some_pairs([pair("2.15.0.post1", "conflict")], options(20))
    assert max(map(len, text.splitlines())) <= 60
    assert "2.15.0" in text
