"""Archives made to hurt: a clear message, bounded cost, nothing written elsewhere."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fwdoctor.image.errors import ImageError
from fwdoctor.image.keep import Keeper
from fwdoctor.image.layer import LayerIndexer
from fwdoctor.image.limits import LIMITS
from fwdoctor.image.reading import OpenedImage, Request, open_image
from fwdoctor.image.streams import open_layer
from fwdoctor.image.tar import TarReader
from fwdoctor.image.tree import Folder
from tests.image.pack import (
    Entry,
    Image,
    Layout,
    gzipped,
    json_of,
    layer,
    layer_of,
    plain,
    write_docker,
)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of our own; nothing may be left in it or made beside it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = {path for path in Path("/tmp").iterdir() if path.name.startswith("pwned")}
    yield folder
    assert list(folder.iterdir()) == []
    after = {path for path in Path("/tmp").iterdir() if path.name.startswith("pwned")}
    assert before == after


def opened(tmp_path: Path, *layers: bytes, compress: object = plain) -> OpenedImage:
    image = Image(layers=layers, compress=compress)  # type: ignore[arg-type]  # one of two
    path = Layout(image).write_tar(tmp_path / "image.tar")
    with open_image(Request(path=str(path))) as image_opened:
        source = image_opened.source
        for name in ("/etc/passwd", "/etc/a", "/dev/zero", "/etc/shadow"):
            source.find_text(name)  # every read a probe could do
            source.resolve(name) if source.exists(name) else None
    return image_opened


def refused(tmp_path: Path, *layers: bytes, compress: object = plain) -> str:
    with pytest.raises(ImageError) as caught:
        opened(tmp_path, *layers, compress=compress)
    assert len(caught.value.message) < 400
    return caught.value.message


@pytest.mark.parametrize(
    "name", ["../../../../tmp/pwned", "etc/../../pwned", "/../pwned", ".."]
)
def test_paths_that_climb_are_refused(tmp_path: Path, name: str) -> None:
    assert "leaves the image" in refused(tmp_path, layer({name: "x"}))


def test_a_hard_link_out_of_the_image_is_refused(tmp_path: Path) -> None:
    hostile = layer({"etc/a": Entry(hardlink="../../../../etc/passwd")})
    assert "leaves the image" in refused(tmp_path, hostile)


def test_absolute_names_stay_inside(tmp_path: Path) -> None:
    image = opened(tmp_path, layer({"/tmp/pwned": "x"}))
    assert image.source.list_dir("/tmp") == ("pwned",)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../etc/passwd"])
def test_links_are_followed_inside_the_image_only(tmp_path: Path, target: str) -> None:
    hostile = layer({"etc/a": Entry(link=target)})
    path = Layout(Image(layers=[hostile])).write_tar(tmp_path / "image.tar")
    with open_image(Request(path=str(path))) as image:
        assert image.source.find_text("/etc/a") is None
        assert not image.source.exists("/etc/a")


def test_writing_through_a_link_writes_nothing_outside(tmp_path: Path) -> None:
    hostile = layer_of(
        [("etc/a", Entry(link="/tmp")), ("etc/a/pwned", "x"), ("etc/b", "y")]
    )
    opened(tmp_path, hostile)
    upper = layer({"etc/a/pwned": "x"})
    opened(tmp_path, layer({"etc/a": Entry(link=str(tmp_path))}), upper)
    assert not (tmp_path / "pwned").exists()


def test_looping_links_end(tmp_path: Path) -> None:
    looping = layer({"etc/a": Entry(link="b"), "etc/b": Entry(link="a")})
    assert not opened(tmp_path, looping).source.exists("/etc/a")


def test_devices_and_pipes_are_never_opened(tmp_path: Path) -> None:
    kinds = {"etc/a": tarfile.CHRTYPE, "etc/b": tarfile.FIFOTYPE, "etc/c": b"4"}
    image = opened(tmp_path, layer({n: Entry(kind=k) for n, k in kinds.items()}))
    source = image.source
    assert source.exists("/etc/a")
    assert source.find_text("/etc/a") is None
    assert stat.S_ISCHR(source.stat("/etc/b").st_mode)


def sparse_member(name: str, real_size: int) -> bytes:
    """An old GNU sparse member: a hundred gigabytes that store nothing."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[483:495] = (
        b"%011o\0" % real_size
        if real_size < 8**11
        else (b"\x80" + real_size.to_bytes(11, "big"))
    )
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_a_sparse_file_of_100_gigabytes_costs_nothing(tmp_path: Path) -> None:
    hostile = sparse_member("etc/a", 100 << 30) + layer({"etc/b": "after"})
    path = Layout(Image(layers=[hostile])).write_tar(tmp_path / "image.tar")
    with open_image(Request(path=str(path))) as image:
        assert image.source.stat("/etc/a").st_size == 100 << 30
        assert image.source.find_text("/etc/b") == "after"


def zeros_as_gzip(size: int) -> bytes:
    """That many zeros, compressed a thousandfold."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    return b"".join(pack.compress(block) for _ in range(size >> 20)) + pack.flush()


def test_a_bomb_is_refused_early(tmp_path: Path) -> None:
    info = tarfile.TarInfo("etc/a")
    info.size = 8 << 30
    head = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = head.compress(info.tobuf()) + head.flush() + zeros_as_gzip(512 << 20)
    limits = replace(LIMITS, growth_from=64 << 20)
    reader = TarReader(open_layer(io.BytesIO(bomb), "bomb", limits=limits), "bomb")
    with pytest.raises(ImageError, match="200-fold") as caught:
        list(reader)
    assert "bomb" in (caught.value.hint or "")


def test_a_file_that_claims_100_gigabytes_is_cut_off(tmp_path: Path) -> None:
    info = tarfile.TarInfo("etc/a")
    info.size = 100 << 30
    assert "ends too early" in refused(tmp_path, info.tobuf() + b"x" * 512)
    assert "ends too early" in refused(
        tmp_path, info.tobuf() + b"x" * 512, compress=gzipped
    )


def test_truncated_gzip(tmp_path: Path) -> None:
    whole = gzipped(layer({f"etc/{n}": os.urandom(999) for n in range(99)}))
    cut = Image(layers=[b""], compress=lambda _: whole[: len(whole) // 2])
    path = Layout(cut).write_tar(tmp_path / "image.tar")
    with pytest.raises(ImageError, match="ends too early"):
        open_image(Request(path=str(path))).__enter__()


def test_damaged_gzip(tmp_path: Path) -> None:
    whole = bytearray(gzipped(layer({"etc/a": os.urandom(9999)})))
    whole[500:600] = bytes(100)
    broken = Image(layers=[b""], compress=lambda _: bytes(whole))
    path = Layout(broken).write_tar(tmp_path / "image.tar")
    with pytest.raises(ImageError):
        open_image(Request(path=str(path))).__enter__()


@pytest.mark.parametrize("is_root", [True, False])
def test_a_wrong_checksum_behind_the_archive_is_noticed(
    tmp_path: Path, *, is_root: bool
) -> None:
    padded = layer({"etc/a": os.urandom(999)}) + bytes(1 << 22)
    whole = bytearray(gzipped(padded))
    whole[-8] ^= 255
    path = tmp_path / "image.tar"
    if is_root:
        path.write_bytes(whole)
    else:
        broken = Image(layers=[b""], compress=lambda _: bytes(whole))
        Layout(broken).write_tar(path)
    with pytest.raises(ImageError, match="damaged gzip"):
        open_image(Request(path=str(path))).__enter__()


@pytest.mark.parametrize("form", ["oci", "docker", "docker-gz", "docker-in-gz"])
def test_wrong_digests(tmp_path: Path, form: str) -> None:
    image = Image(layers=[layer({"etc/a": "1"})])
    path = tmp_path / "image.tar"
    if form == "oci":
        layout = Layout(image)
        name = max(layout.files, key=lambda n: len(layout.files[n]))
        layout.files[name] = layer({"etc/a": "2"})
        layout.write_tar(path)
    else:
        other = layer({"etc/a": "2"})
        compress = gzipped if form == "docker-gz" else plain
        forged = Image(layers=[other], compress=compress)
        right = image.config()
        forged.config = lambda: right  # type: ignore[method-assign]  # the forgery
        write_docker(path, forged, gzipped if form == "docker-in-gz" else plain)
    with pytest.raises(ImageError, match="its digest is sha256:"):
        open_image(Request(path=str(path))).__enter__()


def test_a_changed_manifest_is_noticed(tmp_path: Path) -> None:
    layout = Layout(Image(layers=[layer({"etc/a": "1"})]))
    name = next(n for n, c in layout.files.items() if b'"layers": [{' in c)
    layout.files[name] += b" "
    path = layout.write(tmp_path / "oci")
    with pytest.raises(ImageError, match="another digest"):
        open_image(Request(path=str(path))).__enter__()


@pytest.mark.parametrize(
    "digest", ["sha256:../../../../etc/passwd", "", "md5:00", "sha256:" + "A" * 64]
)
def test_a_digest_is_no_path(tmp_path: Path, digest: str) -> None:
    index = json_of({"manifests": [{"digest": digest}]})
    (tmp_path / "oci").mkdir()
    (tmp_path / "oci" / "index.json").write_bytes(index)
    with pytest.raises(ImageError, match="is not a digest"):
        open_image(Request(path=str(tmp_path / "oci"))).__enter__()


def test_a_docker_manifest_names_no_file_outside(tmp_path: Path) -> None:
    config = json_of({"os": "linux"})
    rows = [{"Config": "../../etc/passwd", "Layers": ["../../etc/passwd"]}]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "manifest.json").write_bytes(json_of(rows))
    with pytest.raises(ImageError):
        open_image(Request(path=str(tmp_path / "d"))).__enter__()
    (tmp_path / "d" / "c.json").write_bytes(config)
    rows = [{"Config": "c.json", "Layers": ["../../etc/passwd"]}]
    (tmp_path / "d" / "manifest.json").write_bytes(json_of(rows))
    with pytest.raises(ImageError, match="outside"):
        open_image(Request(path=str(tmp_path / "d"))).__enter__()


def test_an_index_that_contains_itself_ends(tmp_path: Path) -> None:
    layout = Layout(Image(layers=[layer({"etc/a": "1"})]))
    inner = layout._add(b'{"manifests": []}')
    for _ in range(9):
        inner = layout._add(json_of({"manifests": [inner, inner]}))
    layout.files["index.json"] = json_of({"manifests": [inner]})
    path = layout.write(tmp_path / "oci")
    with pytest.raises(ImageError, match="inside each other"):
        open_image(Request(path=str(path))).__enter__()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes in folders")
@pytest.mark.parametrize("blob", ["blobs/sha256", "index.json"])
def test_pipes_in_a_layout_do_not_block(tmp_path: Path, blob: str) -> None:
    layout = Layout(Image(layers=[layer({"etc/a": "1"})]))
    folder = layout.write(tmp_path / "oci")
    victim = folder / blob
    if victim.is_dir():
        victim = max(victim.iterdir(), key=lambda path: path.stat().st_size)
    victim.unlink()
    os.mkfifo(victim)
    with pytest.raises(ImageError):
        open_image(Request(path=str(folder))).__enter__()


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"null", b"[" * 100_000, b'{"manifests": 1}', b"\xff"]
)
def test_garbage_documents(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "oci").mkdir()
    (tmp_path / "oci" / "index.json").write_bytes(text)
    with pytest.raises(ImageError):
        open_image(Request(path=str(tmp_path / "oci"))).__enter__()


def test_a_document_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "oci").mkdir()
    with (tmp_path / "oci" / "index.json").open("wb") as stream:
        stream.truncate(50 << 30)  # sparse on disk
    with pytest.raises(ImageError, match="larger than 8 MiB"):
        open_image(Request(path=str(tmp_path / "oci"))).__enter__()


def test_a_layer_that_is_missing_is_named(tmp_path: Path) -> None:
    layout = Layout(Image(layers=[layer({"etc/a": "1"})]))
    largest = max(layout.files, key=lambda name: len(layout.files[name]))
    del layout.files[largest]
    path = layout.write(tmp_path / "oci")
    with pytest.raises(ImageError, match="not in it"):
        open_image(Request(path=str(path))).__enter__()


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    info = tarfile.TarInfo("etc/caf\udce9")
    content = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    image = opened(tmp_path, content + layer({"etc/b": "1"}))
    assert image.source.list_dir("/etc") == ("b", "caf\udce9")


def test_a_header_of_gigabytes_is_not_believed(tmp_path: Path) -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, 4 << 30
        assert "not believed" in refused(tmp_path, info.tobuf())


def test_folders_without_end(tmp_path: Path) -> None:
    assert "inside each other" in refused(tmp_path, layer({"a/" * 3000 + "b": ""}))


def test_more_files_than_the_limit(tmp_path: Path) -> None:
    limits = replace(LIMITS, entries=50)
    keeper = Keeper(str(tmp_path), limits=limits)
    indexer = LayerIndexer(keeper, limits=limits)
    content = layer({f"a/{n}": "" for n in range(60)})
    with pytest.raises(ImageError, match="more than 50 files"):
        indexer.index(io.BytesIO(content), "layer")


def test_more_wanted_content_than_the_limit(tmp_path: Path) -> None:
    limits = replace(LIMITS, kept_bytes=5000)
    folder = tmp_path / "kept"
    folder.mkdir()
    indexer = LayerIndexer(Keeper(str(folder), limits=limits), limits=limits)
    content = layer({f"etc/{n}": "x" * 999 for n in range(60)})
    with pytest.raises(ImageError, match="more package and library files"):
        indexer.index(io.BytesIO(content), "layer")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000


class _Many:
    """A layer of many empty files, made while it is read."""

    def __init__(self, count: int) -> None:
        self._blocks = self._make(count)
        self._rest = b""

    def _make(self, count: int) -> Iterator[bytes]:
        info = tarfile.TarInfo("x" * 40)
        base = bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:512])
        for number in range(count):
            name = b"d%04d/some_module_name_%09d.py" % (number // 500, number)
            base[0:100] = name.ljust(100, b"\0")
            base[148:156] = b" " * 8
            base[148:156] = b"%06o\0 " % sum(base)
            yield bytes(base)

    def read(self, size: int, /) -> bytes:
        while len(self._rest) < size:
            block = next(self._blocks, b"")
            if not block:
                break
            self._rest += block
        content, self._rest = self._rest[:size], self._rest[size:]
        return content


def test_files_cost_little_memory_each(tmp_path: Path) -> None:
    count = 20_000
    indexer = LayerIndexer(Keeper(str(tmp_path)))
    tracemalloc.start()
    tree = indexer.index(_Many(count), "layer")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(len(f.children) for f in tree.children.values() if isinstance(f, Folder))
    assert peak / count < 260  # a million stay below 260 MB


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_end_in_a_message_or_an_image(tmp_path: Path, seed: int) -> None:
    import random

    chance = random.Random(seed)
    whole = layer({"etc/a": "1" * 700, "opt/b": Entry(link="/etc"), "usr/c": "2"})
    content = bytearray(gzip.compress(whole) if seed % 2 else whole)
    for _ in range(chance.randrange(1, 6)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    cut = bytes(content[: chance.randrange(100, len(content) + 1)])
    path = tmp_path / "image.tar"
    path.write_bytes(cut)
    try:
        with open_image(Request(path=str(path))) as image:
            json.dumps(image.source.list_dir("/"))
    except ImageError as error:
        assert str(error)  # noqa: PT017  # either end is right
