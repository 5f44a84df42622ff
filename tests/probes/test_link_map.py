"""The played search agrees with the machine's real loader."""

from __future__ import annotations

import os
import platform
import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from fwdoctor.probes.link_map import LinkMap, Request
from fwdoctor.probes.source import Source, live_source
from fwdoctor.process import run_child

pytestmark = pytest.mark.skipif(
    not shutil.which("gcc") or platform.libc_ver()[0] != "glibc",
    reason="needs a C compiler and glibc",
)
_TRACED = re.compile(r"^\t(libt_\S+) => (not found|(\S+) \(0x)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A library or program to compile."""

    path: Path
    needs: tuple[str, ...] = ()
    run_path: str = ""
    is_runpath: bool = True


def build(part: Part, stubs: Path) -> None:
    """Compile it; what it needs is linked from empty stand-ins."""
    part.path.parent.mkdir(parents=True, exist_ok=True)
    stubs.mkdir(exist_ok=True)
    for name in part.needs:
        if not (stubs / name).exists():
            gcc(
                "-shared", "-o", stubs / name, f"-Wl,-soname,{name}", "-xc", "/dev/null"
            )
    code = part.path.with_suffix(".c")
    is_program = part.path.name == "program"
    code.write_text("int main(void) { return 0; }" if is_program else "int x;")
    shape = () if is_program else ("-shared", "-fPIC", f"-Wl,-soname,{part.path.name}")
    tags = "enable" if part.is_runpath else "disable"
    path = (f"-Wl,-rpath,{part.run_path}", f"-Wl,--{tags}-new-dtags")
    gcc(
        *shape,
        "-o",
        part.path,
        code,
        *(path if part.run_path else ()),
        "-Wl,--no-as-needed,--allow-shlib-undefined",
        f"-L{stubs}",
        *(f"-l:{name}" for name in part.needs),
    )
    code.unlink()


def gcc(*arguments: object) -> None:
    result = run_child(["gcc", *map(str, arguments)], timeout_s=60)
    assert result.is_success, result.stderr


def ask_loader(program: Path, env: dict[str, str]) -> dict[str, str | None]:
    """Soname → file, as ld.so itself resolves it."""
    traced = run_child(
        [str(program)], timeout_s=20, env={**env, "LD_TRACE_LOADED_OBJECTS": "1"}
    )
    answers: dict[str, str | None] = {}
    for name, _, path in _TRACED.findall(traced.stdout):
        note(answers, name, path or None)
    return answers


def note(answers: dict[str, str | None], name: str, path: str | None) -> None:
    """One missing answer stops the program, so it outweighs a later success."""
    is_missing = path is None or answers.get(name, path) is None
    answers[name] = None if is_missing or path is None else os.path.realpath(path)


def make_map(program: Path, env: dict[str, str]) -> LinkMap:
    link_map = LinkMap(
        source=live_source(env=env), is_followed=lambda name: name.startswith("libt_")
    )
    link_map.start(str(program))
    return link_map


def ask_us(program: Path, env: dict[str, str]) -> dict[str, str | None]:
    link_map = make_map(program, env)
    _, requests = link_map.open_path(str(program), via="program")
    return answers_of(requests)


def answers_of(requests: tuple[Request, ...]) -> dict[str, str | None]:
    answers: dict[str, str | None] = {}
    for request in requests:
        note(answers, request.soname, request.found.path if request.found else None)
    return answers


@pytest.mark.parametrize("seed", range(10))
def test_random_trees_resolve_as_ld_so_does(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"libt_{letter}.so.1" for letter in "abcde"]
    folders = [tmp_path / name for name in ("one", "two", "three/deep")]

    def run_path() -> str:
        options = ["$ORIGIN", "$ORIGIN/../two", "${ORIGIN}/../one", str(folders[2])]
        return ":".join(chance.sample(options, chance.randint(0, 3)))

    program = Part(
        path=tmp_path / "one/program",
        needs=tuple(names[:2]),
        run_path=run_path(),
        is_runpath=chance.random() < 0.5,
    )
    build(program, tmp_path / "stubs")
    for at, name in enumerate(names):
        for folder in chance.sample(folders, chance.randint(1, 2)):
            later = names[at + 1 :]
            part = Part(
                path=folder / name,
                needs=tuple(chance.sample(later, min(len(later), 2))),
                run_path=run_path(),
                is_runpath=chance.random() < 0.5,
            )
            build(part, tmp_path / "stubs")
    listed = chance.sample([*map(str, folders), "/nowhere", ""], 2)
    env = {"LD_LIBRARY_PATH": ":".join(listed)} if chance.random() < 0.7 else {}
    expected = ask_loader(program.path, env)
    assert expected
    assert ask_us(program.path, env) == expected


def test_rpath_beats_the_variable_and_runpath_does_not(tmp_path: Path) -> None:
    for folder in ("own", "front"):
        build(Part(path=tmp_path / folder / "libt_a.so.1"), tmp_path / "stubs")
    env = {"LD_LIBRARY_PATH": str(tmp_path / "front")}
    found = {}
    for is_runpath in (False, True):
        program = tmp_path / f"{is_runpath}/program"
        build(
            Part(
                path=program,
                needs=("libt_a.so.1",),
                run_path="$ORIGIN/../own",
                is_runpath=is_runpath,
            ),
            tmp_path / "stubs",
        )
        assert ask_us(program, env) == ask_loader(program, env)
        link_map = make_map(program, env)
        _, (request,) = link_map.open_path(str(program), via="program")
        assert request.found is not None
        found[request.found.via] = request.found.path
    assert found == {
        "RPATH": str(tmp_path / "own/libt_a.so.1"),
        "LD_LIBRARY_PATH": str(tmp_path / "front/libt_a.so.1"),
    }


DLOPEN = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
int main(int count, char **names) {
    for (int i = 1; i < count; i++) {
        void *handle = dlopen(names[i], RTLD_NOW);
        struct link_map *map = 0;
        if (handle) dlinfo(handle, RTLD_DI_LINKMAP, &map);
        printf("%s %s\n", names[i], map ? map->l_name : "-");
    }
    return 0;
}
"""


def test_dlopen_in_sequence(tmp_path: Path) -> None:
    """A copy opened by path wins every later search for its soname."""
    stubs = tmp_path / "stubs"
    build(Part(path=tmp_path / "a/libt_x.so.1"), stubs)
    build(Part(path=tmp_path / "b/libt_x.so.1"), stubs)
    user = Part(
        path=tmp_path / "b/libt_user.so.1",
        needs=("libt_x.so.1",),
        run_path="$ORIGIN",
        is_runpath=False,
    )
    build(user, stubs)
    broken = Part(path=tmp_path / "b/libt_broken.so.1", needs=("libt_none.so.1",))
    build(broken, stubs)
    code = tmp_path / "open.c"
    code.write_text(DLOPEN)
    program = tmp_path / "program"
    gcc("-o", program, code, "-ldl")
    order = [tmp_path / "a/libt_x.so.1", broken.path, user.path, "libt_x.so.1"]
    said = run_child([str(program), *map(str, order)], timeout_s=20).stdout
    real = dict(line.split() for line in said.splitlines())

    link_map = make_map(program, {})
    for item in order[:3]:
        opened, _ = link_map.open_path(str(item), via="preload")
        assert (opened.path if opened else "-") == real[str(item)]
    assert link_map.program is not None
    found, _ = link_map.open_name("libt_x.so.1", link_map.program)
    assert found is not None
    assert found.path == real["libt_x.so.1"] == str(tmp_path / "a/libt_x.so.1")
    assert "libt_broken.so.1" not in link_map.loaded


def test_garbage_copy_ends_the_search_and_other_machines_do_not(tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    good = tmp_path / "good/libt_a.so.1"
    build(Part(path=good), stubs)
    program = tmp_path / "program"
    build(Part(path=program, needs=("libt_a.so.1",), run_path=str(good.parent)), stubs)
    front = tmp_path / "front"
    front.mkdir()
    env = {"LD_LIBRARY_PATH": str(front)}
    foreign = bytearray(good.read_bytes())
    foreign[18:20] = b"\x15\0"  # PowerPC
    (front / "libt_a.so.1").write_bytes(foreign)
    assert ask_us(program, env) == ask_loader(program, env) == {good.name: str(good)}
    for content, words in (
        (b"not a library, whatever its name says" * 2, "invalid ELF header"),
        (b"/* short */", "file too short"),
    ):
        (front / "libt_a.so.1").write_bytes(content)
        link_map = make_map(program, env)
        _, (request,) = link_map.open_path(str(program), via="program")
        assert request.found is None
        assert request.failure == f"{front}/libt_a.so.1: {words}"
        assert words in run_child([str(program)], timeout_s=20, env=env).stderr


def test_a_dotdot_over_a_link_leads_where_the_kernel_says(tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    build(Part(path=tmp_path / "real/nvidia/libt_a.so.1"), stubs)
    build(Part(path=tmp_path / "site/nvidia/libt_a.so.1"), stubs)
    program = tmp_path / "real/torch/lib/program"
    run_path = "$ORIGIN/../../nvidia"
    build(Part(path=program, needs=("libt_a.so.1",), run_path=run_path), stubs)
    library = tmp_path / "real/torch/lib/libt_b.so.1"
    build(Part(path=library, needs=("libt_a.so.1",), run_path=run_path), stubs)
    (tmp_path / "site/torch").symlink_to(tmp_path / "real/torch")
    link_map = make_map(program, {})
    through_link = str(tmp_path / "site/torch/lib/libt_b.so.1")
    _, requests = link_map.open_path(through_link, via="import")
    expected = str(tmp_path / "real/nvidia/libt_a.so.1")
    assert answers_of(requests) == {"libt_a.so.1": expected}


def test_image_without_cache_uses_its_configured_folders(tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    build(Part(path=tmp_path / "root/opt/cuda/libt_a.so.1"), stubs)
    program = tmp_path / "root/program"
    build(Part(path=program, needs=("libt_a.so.1",)), stubs)
    (tmp_path / "root/etc").mkdir()
    (tmp_path / "root/etc/ld.so.conf").write_text("/opt/cuda\n")
    source = Source(root=str(tmp_path / "root"))
    link_map = LinkMap(source=source, is_followed=lambda name: "libt_" in name)
    link_map.start("/program")
    _, (request,) = link_map.open_path("/program", via="program")
    assert request.found is not None
    assert (request.found.path, request.found.via) == (
        "/opt/cuda/libt_a.so.1",
        "default folder",
    )


def test_unreadable_program_still_answers(tmp_path: Path) -> None:
    link_map = make_map(tmp_path / "absent", {})
    opened, requests = link_map.open_path(str(tmp_path / "libt_gone.so"), via="import")
    assert opened is None
    assert requests[0].failure == "No such file or directory"
