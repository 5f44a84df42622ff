"""Pasted bytes become text, and pasted text the text the program printed."""

from __future__ import annotations

import random
import time

import pytest

from fwdoctor.errors import ExitCode, UsageError
from fwdoctor.intake.normalise import decode, normalise

LINE = "RuntimeError: CUDA error: out of memory"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"plain\r\n", "plain\r\n"),
        ("GPU 0：RTX".encode(), "GPU 0：RTX"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("marked äöü".encode("utf-16"), "marked äöü"),
        (b"\xfe\xff" + "big end".encode("utf-16-be"), "big end"),
        ("four bytes".encode("utf-32"), "four bytes"),
        ("no mark, PowerShell\r\n".encode("utf-16-le"), "no mark, PowerShell\r\n"),
        ("no mark, big end\r\n".encode("utf-16-be"), "no mark, big end\r\n"),
        ("Zugriff verweigert: für".encode("latin-1"), "Zugriff verweigert: für"),
        (b"log line\x00 with a stray NUL " + b"x" * 200, None),
        (LINE.encode() + b"\x1b[0m", LINE + "\x1b[0m"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_text_is_decoded(data: bytes, text: str | None) -> None:
    decoded = decode(data)
    assert "\x00" not in decoded
    if text is not None:
        assert decoded == text


def test_utf8_with_a_bad_byte_keeps_the_rest() -> None:
    data = "‘GLIBC_2.28’ für alle: ".encode() + b"\xff" + " \u627e\u4e0d\u5230".encode()
    assert "‘GLIBC_2.28’ für alle" in decode(data)


def test_utf8_cut_inside_a_character_keeps_the_rest() -> None:
    assert decode("abc ‘".encode()[:-1]).startswith("abc ")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG image"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "JPEG image"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"\x1f\x8b\x08\x00rest", "gzip archive"),
        (b"\x7fELF\x02\x01\x01", "ELF program"),
        (bytes(range(256)) * 40, "binary data"),
        (bytes(4096), "binary data"),
        (b"\x01\x02\x03\x04\x05\x06" * 500, "binary data"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_text_is_refused_and_named(data: bytes, kind: str) -> None:
    with pytest.raises(UsageError, match=kind) as refusal:
        decode(data)
    assert refusal.value.exit_code == ExitCode.USAGE
    assert refusal.value.hint


def test_any_bytes_give_text_or_a_usage_error() -> None:
    chance = random.Random(7)
    for _ in range(300):
        data = chance.randbytes(chance.randrange(400))
        try:
            normalise(decode(data))
        except UsageError:
            continue


@pytest.mark.parametrize(
    "broken",
    [
        f"> {LINE}",
        f">> {LINE}",
        f"> > > {LINE}",
        f"(pid=11300) {LINE}",
        f"(APIServer pid=1) {LINE}",
        f"(EngineCore_0 pid=812) {LINE}",
        f"(train_fn pid=5, ip=10.0.0.3) {LINE}",
        f"test_1  | {LINE}",
        f"web-app-12 | {LINE}",
        f"> test_1  | (pid=3) {LINE}",
        f"Mar  3 10:11:12 node7 python3[812]: {LINE}",
        f"2025-02-26T14:28:01.1234567Z {LINE}",
        f"[rank0]: {LINE}",
        f"**{LINE}**",
        "RuntimeError: **CUDA error**: out of memory",
        f"\x1b[1;31m{LINE}\x1b[0m",
        f"[31m{LINE}[0m",
        f"\x1b]0;title\x07{LINE}",
        LINE.replace(":", "：").replace("C", "Ｃ"),
        LINE.replace(" ", "\u00a0"),
        LINE.replace("CUDA", "CU\u200bDA\ufeff"),
        LINE.replace("CUDA", "CU\x00DA"),
    ],
    ids=repr,
)
def test_what_was_added_to_a_line_is_taken_away(broken: str) -> None:
    assert normalise(broken).strip() == LINE


@pytest.mark.parametrize(
    ("broken", "plain"),
    [
        ("&gt;&gt;&gt; import torch", ">>> import torch"),
        ("torch&amp;gt;=2.1 &quot;x&quot; &#39;y&#39;", "torch>=2.1 \"x\" 'y'"),
        ("couldn‘t “load” ‚it’", "couldn't \"load\" 'it'"),
        ("CUDA\\_ERROR\\_NO\\_DEVICE", "CUDA_ERROR_NO_DEVICE"),
        ("one\r\ntwo\rthree\r\r\nfour", "one\ntwo\nthree\nfour"),
        ("a\u2028b\u0085c", "a\nb\nc"),
        ("<pre>x</pre>", " x "),
        ("GPU 0： RTX 3090（24 GB）", "GPU 0: RTX 3090(24 GB)"),
        ("from … to – end", "from ... to - end"),
        ("> >>> import torch", ">>> import torch"),
    ],
)
def test_look_alikes_become_plain(broken: str, plain: str) -> None:
    assert normalise(broken) == plain


@pytest.mark.parametrize(
    "text",
    [
        ">>> import torch",
        "| NVIDIA-SMI 535.161.08   Driver Version: 535.161.08   CUDA Version: 12.2 |",
        "|   0  NVIDIA GeForce RTX 3090      Off  | 00000000:01:00.0 Off |",
        "C:\\venv\\Lib\\site-packages\\torch\\_C.pyd",
        "undefined symbol: __nvJitLinkAddData_12_1, version libnvJitLink.so.12",
        "version `GLIBC_2.28' not found (required by /x.so)",
        "tensor([[1., 2.]], device='cuda:0')  # a < b > c && d",
        "libcuda.so.1 => /usr/lib/x86_64-linux-gnu/libcuda.so.1 (0x00007f)",
        "    indented text stays",
    ],
)
def test_real_lines_stay_as_they_are(text: str) -> None:
    assert normalise(text) == text


def test_lines_keep_their_numbers() -> None:
    text = "> one\r\n> **two**\r\n\r\n(pid=3) four\r\n"
    assert normalise(text).split("\n") == ["one", "two", "", "four", ""]


@pytest.mark.parametrize(
    "text",
    [
        "> " * 50_000,
        "&amp;" * 30_000,
        "\x1b[" * 50_000,
        "(pid=1" * 20_000,
        "<p " * 30_000,
        "(a b c " * 20_000,
        "a" * 5_000_000,
        "x_1 \n" * 200_000,
        "\u3000：" * 200_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_hostile_text_costs_little(text: str) -> None:
    start = time.perf_counter()
    normalise(text)
    assert time.perf_counter() - start < 20
