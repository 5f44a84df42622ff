from __future__ import annotations

from pathlib import Path

import pytest

from fwdoctor.probes.recording import RecordingSource, raw_texts


def source_of(root: Path, **files: bytes) -> RecordingSource:
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    env = {"HOME": "/home/alice", "USER": "alice"}
    return RecordingSource(root=str(root), env=env, may_run=False)


def test_texts_are_kept_by_their_path_and_redacted(tmp_path: Path) -> None:
    source = source_of(tmp_path, proc__version=b"Linux /home/alice/.venv\n")
    source.read_text("/proc/version")
    assert raw_texts(source) == {"files/proc/version": "Linux ~/.venv\n"}


def test_binary_and_large_files_are_not_kept(tmp_path: Path) -> None:
    source = source_of(tmp_path, lib=b"\x7fELF\0", big=b"x" * 300_000)
    source.read_bytes("/lib")
    source.read_bytes("/big")
    assert raw_texts(source) == {}


def test_lists_of_people_are_never_kept(tmp_path: Path) -> None:
    source = source_of(tmp_path, etc__group=b"video:x:44:alice,bob\n")
    assert "bob" in source.read_text("/etc/group")
    assert raw_texts(source) == {}


def test_what_could_not_be_read_is_one_list(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    for path in ("/nowhere", "/etc/nv_tegra_release"):
        with pytest.raises(OSError, match="No such file"):
            source.read_text(path)
    assert raw_texts(source) == {
        "not-read.txt": "/etc/nv_tegra_release: No such file or directory\n"
        "/nowhere: No such file or directory\n"
    }


def test_no_text_is_written_outside_the_folder(tmp_path: Path) -> None:
    source = source_of(tmp_path, etc__config=b"text\n", a__b=b"")
    source.read_text("/a/../../../etc/config")
    assert set(raw_texts(source)) == {"files/etc/config"}


def test_who_asked_apt_is_left_out(tmp_path: Path) -> None:
    history = b"Requested-By: bob (1000)\nInstall: nvidia-driver-580-open:amd64 (580)\n"
    source = source_of(tmp_path, var__log__apt__history=history)
    source.read_text("/var/log/apt/history")
    text = raw_texts(source)["files/var/log/apt/history"]
    assert "bob" not in text
    assert "nvidia-driver-580-open" in text
