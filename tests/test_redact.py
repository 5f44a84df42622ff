"""Redaction: what must go, what must stay, and that nothing leaks on odd text."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.redact import redact

UUID = "GPU-8f2a1c3d-1234-5678-9abc-def012345678"
WORDS = st.text(string.ascii_letters + string.digits, min_size=6, max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/alice/.venv/bin:/usr/bin", "~/.venv/bin:/usr/bin"),
        ("/home/bob", "~"),
        ("/Users/carol/venv", "~/venv"),
        (r"C:\Users\Dave\venv;D:\x", r"~\venv;D:\x"),
        (r"C:\\Users\\Dave\\venv", r"~\\venv"),
        ("/mnt/c/Users/Dave/x", "~/x"),
        ("/nfs/home/erin/x", "/nfs/home/~/x"),
        ("/scratch/alice/venv", "/scratch/USER/venv"),
        ("alice@node", "USER@node"),
        ("/scratch/alice2/malice", "/scratch/alice2/malice"),
        ("/data/homes/a7/lib", "~/lib"),
        ("/data/homes/a77/lib", "/data/homes/a77/lib"),
        ("https://u:p@ss@host/simple", "https://host/simple"),
        ("https://host/simple?api_key=abc&x=1", "https://host/simple?api_key=…&x=1"),
        ("hf_abcdefghijklmnopqrstuv", "hf_…"),
        (UUID, "GPU-…"),
        (f"MIG-{UUID}/1/0", "MIG-GPU-…/1/0"),
        ("MIG-8f2a1c3d-1234-5678-9abc-def012345678,1", "MIG-…,1"),
        ("GPU-acceleration of /usr/local/cuda", "GPU-acceleration of /usr/local/cuda"),
        ("torch @ https://host/whl", "torch @ https://host/whl"),
        ("", ""),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redact(text, home="/data/homes/a7", user="alice") == expected


@pytest.mark.parametrize("home", [None, "", "/"])
@pytest.mark.parametrize("user", [None, "", "lib", "root", "cuda"])
def test_ordinary_paths_stay(home: str | None, user: str | None) -> None:
    text = "/usr/local/cuda/lib:/usr/lib:/opt/root/x"
    assert redact(text, home=home, user=user) == text


@given(before=st.text(), name=WORDS, after=st.text())
def test_no_home_name_survives(before: str, name: str, after: str) -> None:
    shown = redact(f"{before} /home/x{name}y/{after}", home=None, user=None)
    assert f"/home/x{name}y" not in shown


@given(user=WORDS, password=WORDS)
def test_no_password_survives(user: str, password: str) -> None:
    shown = redact(f"https://{user}:Q{password}Q@host/x", home=None, user=None)
    assert shown == "https://host/x"


@given(text=st.text(), home=st.text(), user=st.text())
def test_any_text(text: str, home: str, user: str) -> None:
    assert isinstance(redact(text, home=home, user=user), str)
