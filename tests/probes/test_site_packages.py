"""Package lists from folder names, in the order Python imports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.probes.interpreter import Interpreter
from fwdoctor.probes.site_packages import (
    find_site_folders,
    normalise_name,
    parse_conda_record,
    parse_direct_url,
    parse_metadata,
    read_packages,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.probes.source import Source

    MakeSource = Callable[..., Source]

SITE = "/v/lib/python3.12/site-packages"


def test_dist_info_of_pip_and_uv(make_source: MakeSource) -> None:
    metadata = "Name: torch\nRequires-Dist: nvidia-cudnn-cu13==9.26.0.51\n\nbody: no\n"
    source = make_source(
        {
            f"{SITE}/torch-2.15.0+cu132.dist-info/INSTALLER": "uv",
            f"{SITE}/torch-2.15.0+cu132.dist-info/METADATA": metadata,
            f"{SITE}/torch-2.15.0+cu132.dist-info/direct_url.json": json.dumps(
                {"url": "https://me:secret@download.pytorch.org/whl/t.whl?token=1"}
            ),
            f"{SITE}/Typing_Extensions-4.1.dist-info/INSTALLER": "pip\n",
            f"{SITE}/~orch-2.1.0.dist-info/INSTALLER": "pip\n",
            f"{SITE}/old_pkg-1.0-py3.12.egg-info": "",
            f"{SITE}/bare.egg-info/PKG-INFO": "Name: bare\nVersion: 7\n",
        }
    )
    packages = read_packages(source, "/v", [SITE])
    assert [(p.name, p.version, p.installer) for p in packages] == [
        ("bare", "7", None),
        ("old-pkg", "1.0", None),
        ("torch", "2.15.0+cu132", "uv"),
        ("typing-extensions", "4.1", "pip"),
    ]
    torch = packages[2]
    assert torch.requires == ("nvidia-cudnn-cu13==9.26.0.51",)
    assert torch.direct_url == "download.pytorch.org/whl/t.whl"
    assert torch.location == SITE


def test_conda_record_joins_its_dist_info(make_source: MakeSource) -> None:
    record = json.dumps(
        {
            "channel": "https://conda.anaconda.org/conda-forge/linux-64",
            "depends": ["cudnn >=9.10,<10"],
            "files": ["x"] * 9000,
        }
    )
    source = make_source(
        {
            "/v/conda-meta/tensorflow-2.19.1-cuda128py312h_200.json": record,
            "/v/conda-meta/ca-certificates-2026.1-h_0.json": record,
            "/v/conda-meta/history": "",
            f"{SITE}/tensorflow-2.19.1.dist-info/INSTALLER": "conda",
        }
    )
    certificates, tensorflow = read_packages(source, "/v", [SITE])
    assert certificates.name == "ca-certificates"
    assert certificates.requires == ()
    assert (tensorflow.channel, tensorflow.build_string, tensorflow.location) == (
        "conda-forge",
        "cuda128py312h_200",
        SITE,
    )
    assert tensorflow.requires == ("cudnn >=9.10,<10",)


def test_light_reading_keeps_frameworks_only(make_source: MakeSource) -> None:
    source = make_source(
        {
            f"{SITE}/torch-2.1.0.dist-info/INSTALLER": "pip",
            f"{SITE}/numpy-2.0.dist-info/INSTALLER": "pip",
            f"{SITE}/tensorflow_cpu-2.1.dist-info/INSTALLER": "pip",
        }
    )
    packages = read_packages(source, "/v", [SITE], is_light=True)
    assert [p.name for p in packages] == ["tensorflow-cpu", "torch"]


def test_order_of_folders(make_source: MakeSource) -> None:
    user = "/h/.local/lib/python3.12/site-packages"
    base = "/usr/lib/python3/dist-packages"
    source = make_source(
        {
            f"{SITE}/a.pth": "/extra\nimport sys\n# no\nmissing\n",
            "/extra/x.py": "",
            f"{user}/x.py": "",
            f"{base}/x.py": "",
            "/pp/x.py": "",
            "/v/lib64": "-> lib",
        },
        {"HOME": "/h", "PYTHONPATH": "/pp:relative:/gone"},
    )

    def venv(*, sees_base: bool) -> Interpreter:
        return Interpreter(
            prefix="/v",
            kind="venv",
            version="3.12",
            is_free_threaded=False,
            home="/usr",
            sees_base=sees_base,
        )

    own = ("/pp", SITE, "/extra")
    assert find_site_folders(source, venv(sees_base=False)) == own
    assert find_site_folders(source, venv(sees_base=True)) == (*own, user, base)
    conda = Interpreter(
        prefix="/v", kind="conda", version="3.12.1", is_free_threaded=False
    )
    assert find_site_folders(source, conda) == ("/pp", user, SITE, "/extra")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"url": "file:///home/me/t.whl"}', "file:/home/me/t.whl"),
        ('{"url": 3}', None),
        ("[]", None),
        ("{", None),
        ("", None),
        ('{"url": "http://[bad"}', None),
    ],
)
def test_direct_url(text: str, expected: str | None) -> None:
    assert parse_direct_url(text) == expected


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ('{"channel": "pytorch"}', "pytorch"),
        ('{"channel": "https://repo.anaconda.com/pkgs/main/linux-64"}', "defaults"),
        ('{"channel": "https://conda.anaconda.org/pytorch/noarch"', "pytorch"),
        ("\0\xff garbage", None),
    ],
)
def test_channel(text: str, channel: str | None) -> None:
    assert parse_conda_record(text)[0] == channel


@given(st.text())
def test_parsers_take_any_text(text: str) -> None:
    parse_metadata(text)
    parse_conda_record(f'"depends": [{text}] "channel": "{text}"')
    parse_direct_url(text)
    parse_direct_url(json.dumps({"url": text}))
    assert normalise_name(normalise_name(text)) == normalise_name(text)
