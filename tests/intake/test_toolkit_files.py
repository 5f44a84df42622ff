"""The toolkit's own words for its version."""

from __future__ import annotations

import pytest

from fwdoctor.intake.facts import Facts
from fwdoctor.intake.toolkit_files import parse


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Cuda compilation tools, release 10.1, V10.1.243\n",
            {"nvcc": "10.1.243"},
        ),
        ("$ cat version.txt\nCUDA Version 10.0.130\n", {"nvcc": "10.0.130"}),
        ("CUDA Version: 12.2\n", {}),
    ],
)
def test_versions(text: str, expected: dict[str, str]) -> None:
    assert said(parse(text)) == expected


def test_cudnn_header() -> None:
    facts = parse(
        "#define CUDNN_MAJOR 7\n#define CUDNN_MINOR 6\n#define CUDNN_PATCHLEVEL 5\n"
    )
    assert facts is not None
    versions = [library.version for library in facts.libraries]
    assert "7.6.5" in (*versions, said(facts).get("cudnn"))
