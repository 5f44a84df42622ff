"""conda list and exported environments."""

from __future__ import annotations

from fwdoctor.intake.conda_list import parse
from fwdoctor.intake.facts import Facts


def said(facts: Facts | None) -> dict[str, str]:
    """The values of some facts by name."""
    return {name: fact.value for name, fact in facts.values.items()} if facts else {}


LIST = """\
# packages in environment at /opt/conda:
#
# Name                    Version                   Build  Channel
cudatoolkit               11.3.1               h2bc3f7f_2
python                    3.9.16               h7a1cb2a_2
pytorch                   1.12.1          py3.9_cuda11.3_cudnn8.3.2_0    pytorch
torchmetrics              0.11.4                   pypi_0    pypi

(base) $ nvidia-smi
"""
EXPORT = """\
name: dl
channels:
  - pytorch
dependencies:
  - python=3.8.13=h12debd9_0
  - pytorch=1.9.0=py3.8_cpu_0
  - pip:
    - tensorflow-gpu==2.4.1
"""


def test_a_list_ends_where_no_package_stands() -> None:
    facts = parse(LIST)
    assert facts is not None
    assert [p.name for p in facts.packages] == [
        *("cudatoolkit", "python", "pytorch", "torchmetrics")
    ]
    assert facts.packages[2].build_string == "py3.9_cuda11.3_cudnn8.3.2_0"
    assert facts.packages[2].channel == "pytorch"
    assert facts.packages[3].installer == "pip"
    assert said(facts) == {"manager": "conda", "python": "3.9.16"}


def test_an_exported_environment() -> None:
    facts = parse(EXPORT)
    assert facts is not None
    builds = {p.name: p.build_string for p in facts.packages}
    assert builds["pytorch"] == "py3.8_cpu_0"
    assert builds["tensorflow-gpu"] is None
    assert said(facts)["python"] == "3.8.13"


def test_rows_cut_out_of_a_list_are_told_by_their_build() -> None:
    facts = parse("as you see:\npytorch 1.9.0 py3.8_cpu_0 pytorch\n")
    assert facts is not None
    assert facts.packages[0].build_string == "py3.8_cpu_0"


def test_prose_is_no_list() -> None:
    assert parse("I tried pytorch 1.9.0 and it works\n") is None


def test_a_row_may_name_the_features_of_a_build() -> None:
    row = "pytorch     1.4.0     py3.7_cpu_0  [cpuonly]  pytorch"
    for text in (row, f"# packages in environment at /opt/env:\n{row}\n"):
        facts = parse(text)
        assert facts is not None
        assert facts.packages[0].build_string == "py3.7_cpu_0"
        assert facts.packages[0].channel == "pytorch"


def test_what_conda_is_about_to_install() -> None:
    facts = parse(
        "The following NEW packages will be INSTALLED:\n\n"
        "  cpuonly     pytorch/noarch::cpuonly-2.0-0\n"
        "  pytorch     pytorch/linux-64::pytorch-1.10.0-py3.8_cpu_0\n"
    )
    assert facts is not None
    builds = {p.name: (p.version, p.build_string, p.channel) for p in facts.packages}
    assert builds["pytorch"] == ("1.10.0", "py3.8_cpu_0", "pytorch")
