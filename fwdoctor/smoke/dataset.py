"""Reads MNIST with the standard library: the bundled subset, IDX files, mnist.npz.

Nothing is downloaded here, and nothing of a file is executed: a pickled array inside an
npz is refused.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIDE = 28
PIXELS = SIDE * SIDE
CLASSES = 10
BUNDLED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
FULL_SIZE = (60_000, 10_000)
# Far above the whole set; a hostile archive must not fill the memory.
_MAX_BYTES = 200_000_000
_IDX_NAMES = {
    "train_images": ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
    "train_labels": ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte"),
    "test_images": ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"),
    "test_labels": ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"),
}
_NPZ_NAMES = {
    "train_images": "x_train",
    "train_labels": "y_train",
    "test_images": "x_test",
    "test_labels": "y_test",
}
_NPY_MAGIC = b"\x93NUMPY"
# One-byte and little-endian types that labels or images are stored in.
_NPY_STRIDE = {"|u1": 1, "|i1": 1, "<u2": 2, "<i2": 2, "<i4": 4, "<i8": 8, "<u8": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mnist:
    """Images as bytes, 784 pixels each, labels as one byte each."""

    train_images: bytes
    train_labels: bytes
    test_images: bytes
    test_labels: bytes
    origin: str  # where it came from, in words

    @property
    def train_count(self) -> int:
        """Number of training images."""
        return len(self.train_labels)

    @property
    def test_count(self) -> int:
        """Number of test images."""
        return len(self.test_labels)

    @property
    def is_full(self) -> bool:
        """Whether it has the size of the whole set."""
        return (self.train_count, self.test_count) == FULL_SIZE

    @property
    def checksum(self) -> str:
        """SHA-256 over all four parts, to know a set again."""
        digest = hashlib.sha256()
        for part in (
            self.train_images,
            self.train_labels,
            self.test_images,
            self.test_labels,
        ):
            digest.update(part)
        return digest.hexdigest()


def read_bundled() -> Mnist:
    """The subset that comes with fwdoctor: 2,000 training and 1,000 test images."""
    return read_mnist(BUNDLED, origin="bundled subset")


def read_mnist(path: str, *, origin: str | None = None) -> Mnist:
    """MNIST from an npz file or a folder of IDX files, plain or gzipped.

    Raises UsageError saying what is wrong with the file.
    """
    try:
        parts = _read_npz(path) if _is_npz(path) else _read_folder(path)
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise UsageError("data-unreadable", f"{path}: {error}") from error
    except (struct.error, KeyError, SyntaxError) as error:
        raise UsageError("data-unreadable", f"{path}: damaged file") from error
    return _checked(parts, path, origin or path)


def _is_npz(path: str) -> bool:
    return os.path.isfile(path) and zipfile.is_zipfile(path)


def _checked(parts: Mapping[str, bytes], path: str, origin: str) -> Mnist:
    for part in ("train", "test"):
        images, labels = parts[f"{part}_images"], parts[f"{part}_labels"]
        if not labels or len(images) != len(labels) * PIXELS:
            raise UsageError(
                "data-unreadable",
                f"{path}: {len(labels)} {part} labels do not fit"
                f" {len(images) // PIXELS} images of {SIDE} × {SIDE}",
            )
        if max(labels) >= CLASSES:
            raise UsageError(
                "data-unreadable", f"{path}: a {part} label is {max(labels)}"
            )
    return Mnist(origin=origin, **parts)


def _read_folder(path: str) -> dict[str, bytes]:
    """The four IDX files of the folder, or of torchvision's MNIST/raw below it."""
    for folder in (path, os.path.join(path, "raw"), os.path.join(path, "MNIST", "raw")):
        found = {part: _find_idx(folder, part) for part in _IDX_NAMES}
        if all(found.values()):
            return {part: _read_idx(str(file)) for part, file in found.items()}
    if os.path.isfile(os.path.join(path, "mnist.npz")):
        return _read_npz(os.path.join(path, "mnist.npz"))
    if not os.path.exists(path):
        raise ValueError("no such file or folder")
    raise ValueError("neither mnist.npz nor the four IDX files of MNIST")


def _find_idx(folder: str, part: str) -> str | None:
    names = [name + end for name in _IDX_NAMES[part] for end in ("", ".gz")]
    paths = (os.path.join(folder, name) for name in names)
    return next((path for path in paths if os.path.isfile(path)), None)


def _read_idx(path: str) -> bytes:
    """The values of one IDX file, without its header."""
    with open(path, "rb") as plain:
        is_packed = plain.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if is_packed else open(path, "rb") as stream:
        data = stream.read(_MAX_BYTES)
    zero, kind, dimensions = struct.unpack(">HBB", data[:4])
    sizes = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    count = 1
    for size in sizes:
        count *= size
    values = data[4 + 4 * dimensions :]
    if zero or kind != 8 or len(values) != count:
        raise ValueError(f"{os.path.basename(path)} is not a whole IDX file of bytes")
    return values


def _read_npz(path: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {
            part: _read_npy(archive, f"{name}.npy") for part, name in _NPZ_NAMES.items()
        }


def _read_npy(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_BYTES:
        raise ValueError(f"{name} is too large for MNIST")
    data = archive.read(name)
    if not data.startswith(_NPY_MAGIC):
        raise ValueError(f"{name} is not a NumPy array")
    width = 2 if data[6] == 1 else 4
    length = int.from_bytes(data[8 : 8 + width], "little")
    begin = 8 + width + length
    header = ast.literal_eval(data[8 + width : begin].decode("latin-1"))
    stride = _NPY_STRIDE.get(header["descr"])
    if stride is None or header["fortran_order"]:
        raise ValueError(f"{name} is stored as {header['descr']}, not as bytes")
    return data[begin::stride]  # small values: the first byte of each says it all


def iter_caches(home: str) -> Iterator[str]:
    """Where Keras, torchvision and people keep the whole set."""
    yield os.path.join(home, ".keras", "datasets", "mnist.npz")
    yield os.path.join(home, ".cache", "fwdoctor")
    for folder in (".", "data", "datasets"):
        yield os.path.join(folder, "MNIST", "raw")
    yield os.path.join(home, "data", "MNIST", "raw")
    yield os.path.join(home, ".cache", "torch", "MNIST", "raw")


def find_full(home: str) -> Mnist | None:
    """The whole set from the usual caches; None when none holds it."""
    for path in iter_caches(home):
        if not os.path.exists(path):
            continue
        try:
            found = read_mnist(path)
        except UsageError:
            continue
        if found.is_full:
            return found
    return None
