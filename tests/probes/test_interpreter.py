"""Which Python a path means, its version, kind and machine."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwdoctor.errors import UsageError
from fwdoctor.probes.interpreter import find_interpreter
from fwdoctor.probes.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeSource = Callable[..., Source]

ELF_X86_64 = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62)
ELF_AARCH64 = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 183)
VENV: dict[str, str | bytes] = {
    "/w/.venv/pyvenv.cfg": "home = /usr/bin\nversion = 3.12.4\n",
    "/w/.venv/bin/python": "-> /usr/bin/python3.12",
    "/w/.venv/lib/python3.12/site-packages/six.py": "",
    "/usr/bin/python3.12": ELF_X86_64,
}


@pytest.mark.parametrize(
    "path",
    [
        "/w/.venv",
        "/w/.venv/",
        ".venv",
        "/w/.venv/bin",
        "/w/.venv/bin/python",
        "~/.venv",
    ],
)
def test_every_spelling_of_a_venv(make_source: MakeSource, path: str) -> None:
    found = find_interpreter(make_source(VENV, {"HOME": "/w"}), path, "/w")
    assert found.prefix == "/w/.venv"
    assert found.python == "/w/.venv/bin/python"
    assert (found.kind, found.version, found.machine, found.bits) == (
        "venv",
        "3.12.4",
        "x86_64",
        64,
    )
    assert found.is_free_threaded is False
    assert found.home == "/usr"


def test_conda_version_and_kind(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/c/conda-meta/python-3.11.9-h955ad1f_0_cpython.json": "{}",
            "/c/conda-meta/python-dateutil-2.9.0-py_0.json": "{}",
            "/c/bin/python": "-> python3.11",
            "/c/bin/python3.11": ELF_AARCH64,
            "/c/lib/python3.11/site-packages/x.py": "",
        }
    )
    found = find_interpreter(source, "/c")
    assert (found.kind, found.version) == ("conda", "3.11.9")
    assert found.machine == "aarch64"


def test_system_python_is_named_by_its_link_not_by_the_newest_folder(
    make_source: MakeSource,
) -> None:
    source = make_source(
        {
            "/usr/bin/python3": "-> python3.10",
            "/usr/bin/python3.10": ELF_X86_64,
            "/usr/lib/python3.10/os.py": "",
            "/usr/lib/python3.12/os.py": "",
            "/usr/lib/python3/dist-packages/six.py": "",
        }
    )
    found = find_interpreter(source, "/usr/bin/python3")
    assert (found.prefix, found.kind, found.version) == ("/usr", "system", "3.10")


def test_linked_program_is_followed_to_its_library(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/usr/local/bin/python3": "-> /opt/py/bin/python3.13",
            "/opt/py/bin/python3.13": ELF_X86_64,
            "/opt/py/lib/python3.13t/os.py": "",
            "/opt/py/include/python3.13t/patchlevel.h": '#define PY_VERSION "3.13.1"\n',
        }
    )
    found = find_interpreter(source, "/usr/local/bin/python3")
    assert (found.prefix, found.version) == ("/opt/py", "3.13.1")
    assert found.is_free_threaded is True
    assert found.lib_name == "python3.13t"


@pytest.mark.parametrize("name", ["python3.13", "3.13"])
def test_bare_name_is_looked_up(make_source: MakeSource, name: str) -> None:
    source = make_source(
        {"/opt/py/bin/python3.13": "#!", "/opt/py/lib/python3.13/os.py": ""},
        {"PATH": "/none:/opt/py/bin"},
    )
    (Path(source.root) / "opt/py/bin/python3.13").chmod(0o755)
    assert find_interpreter(source, name).prefix == "/opt/py"


def test_windows_layouts(make_source: MakeSource) -> None:
    source = make_source(
        {
            "/C/Python312/python.exe": "MZ",
            "/C/Python312/python3.dll": "",
            "/C/Python312/python312.dll": "",
            "/C/Python312/Lib/site-packages/six.py": "",
            "/C/w/venv/pyvenv.cfg": "version = 3.11.9\n",
            "/C/w/venv/Scripts/python.exe": "MZ",
            "/C/w/venv/Lib/site-packages/six.py": "",
        }
    )
    found = find_interpreter(source, "/C/Python312/python.exe")
    assert (found.prefix, found.version) == ("/C/Python312", "3.12")
    venv = find_interpreter(source, "/C/w/venv/Scripts/python.exe")
    assert (venv.prefix, venv.version, venv.machine) == ("/C/w/venv", "3.11.9", None)


def test_conda_alias_folder_is_not_a_version(make_source: MakeSource) -> None:
    source = make_source(
        {"/c/lib/python3.11/os.py": "", "/c/lib/python3.1": "-> python3.11"}
    )
    assert find_interpreter(source, "/c").version == "3.11"


@pytest.mark.parametrize("env", [{}, {"PYENV_VERSION": "3.12.1"}])
def test_pyenv_shim(make_source: MakeSource, env: dict[str, str]) -> None:
    source = make_source(
        {
            "/h/.pyenv/shims/python3": "#!/bin/sh\n",
            "/h/.pyenv/version": "3.12.1\n",
            "/h/.pyenv/versions/3.12.1/bin/python3": ELF_X86_64,
            "/h/.pyenv/versions/3.12.1/lib/python3.12/os.py": "",
        },
        env,
    )
    found = find_interpreter(source, "/h/.pyenv/shims/python3")
    assert (found.prefix, found.kind) == ("/h/.pyenv/versions/3.12.1", "pyenv")
    assert found.version == "3.12.1"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/w/notes.txt", "/w/empty", "/w/python", "/w/py\0thon"]
)
def test_no_environment_names_the_path(make_source: MakeSource, path: str) -> None:
    source = make_source({"/w/notes.txt": "", "/w/empty/x": "", "/w/python": "#!"})
    with pytest.raises(UsageError) as caught:
        find_interpreter(source, path)
    assert path in caught.value.message


def test_dangling_interpreter_still_describes_the_venv(make_source: MakeSource) -> None:
    files = {path: text for path, text in VENV.items() if not path.startswith("/usr")}
    found = find_interpreter(make_source(files), "/w/.venv")
    assert (found.version, found.machine) == ("3.12.4", None)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_garbage_never_raises(
    tmp_path_factory: pytest.TempPathFactory, config: bytes, program: bytes
) -> None:
    root: Path = tmp_path_factory.mktemp("m")
    (root / "v/bin").mkdir(parents=True)
    (root / "v/pyvenv.cfg").write_bytes(config)
    (root / "v/bin/python").write_bytes(program)
    found = find_interpreter(Source(root=str(root)), "/v")
    assert found.kind == "venv"
