"""How long `fwdoctor image` takes beside one sequential reading of the same bytes.

python benchmarks/image.py                         its own: 1 GB, 100,000 files
python benchmarks/image.py --root DIR              a root file system, packed three ways
python benchmarks/image.py --files 1000000         the hostile number of files
python benchmarks/image.py --archive image.tar     an image as it is

For each form: seconds, peak memory, and the seconds of reading the layers once (their
digest taken, and decompressed where they are). Needs twice the image's size on disk.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

CHUNK = 1 << 20
SITE = "opt/venv/lib/python3.12/site-packages"


def write_layer(path: Path, *, gigabytes: float, files: int) -> None:
    """Large libraries that compress as real ones do, and many small files."""
    block = random.Random(1).randbytes(CHUNK // 2) + bytes(CHUNK // 2)
    size = int(gigabytes * 1e9 / 10)
    small = {
        "etc/os-release": "ID=debian\n",
        "opt/venv/pyvenv.cfg": "version = 3.12.4\n",
        "opt/venv/bin/python": "#!",
        f"{SITE}/torch/version.py": "__version__ = '2.9.1+cu128'\ncuda = '12.8'\n",
        f"{SITE}/torch-2.9.1+cu128.dist-info/METADATA": "Name: torch\nVersion: 2.9.1\n",
    }
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, text in small.items():
            add(archive, name, io.BytesIO(text.encode()), len(text))
        for number in range(10):
            add(archive, f"{SITE}/torch/lib/lib{number}.so", Repeat(block), size)
        for number in range(files):
            name = f"{SITE}/package{number // 500}/module{number}.py"
            add(archive, name, io.BytesIO(), 0)


def add(archive: tarfile.TarFile, name: str, stream: object, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, stream)  # type: ignore[arg-type]  # it reads
    archive.members = []  # which would hold every file in memory


class Repeat:
    """An ELF header, and then one block again and again."""

    def __init__(self, block: bytes) -> None:
        self.block, self.head = block, b"\x7fELF\x02\x01"

    def read(self, size: int) -> bytes:
        content = self.head + self.block * (size // len(self.block) + 1)
        self.head = b""
        return content[:size]


def compress(source: Path, target: Path) -> None:
    with source.open("rb") as stream, gzip.open(target, "wb", 1) as packed:
        while content := stream.read(CHUNK):
            packed.write(content)


def write_layout(folder: Path, layer: Path) -> Path:
    """An OCI layout with this layer, linked rather than copied."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    taken = hashlib.sha256()
    with layer.open("rb") as stream:
        while content := stream.read(CHUNK):
            taken.update(content)
    os.link(layer, blobs / taken.hexdigest())

    def put(data: object) -> dict[str, object]:
        content = json.dumps(data).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    config = put({"os": "linux", "architecture": "amd64", "config": {}})
    row = {"digest": f"sha256:{taken.hexdigest()}", "size": layer.stat().st_size}
    manifest = put({"config": config, "layers": [row]})
    (folder / "index.json").write_text(json.dumps({"manifests": [manifest]}))
    return folder


def read_once(layer: Path) -> float:
    """Seconds to take the digest and, beside it, to decompress."""
    begun = time.perf_counter()

    def digest() -> None:
        taken = hashlib.sha256()
        with layer.open("rb") as stream:
            while content := stream.read(CHUNK):
                taken.update(content)

    beside = threading.Thread(target=digest)
    beside.start()
    if layer.suffix == ".gz":
        with gzip.open(layer, "rb") as packed:
            while packed.read(CHUNK):
                pass
    beside.join()
    return time.perf_counter() - begun


RUN = """
import sys
from fwdoctor.__main__ import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print(status.split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def judge(path: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of the command in a process of its own."""
    words = ["image", str(path), "--format", "json"]
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begun
    *said, peak = done.stderr.split("\n")[:-1]
    if done.returncode not in (0, 1, 4):
        print(*said)
    return seconds, int(peak) / 1024


def row(name: str, path: Path, layer: Path | None) -> None:
    once = read_once(layer) if layer is not None else None
    seconds, peak = judge(path)
    beside = f"{once:8.2f} s" if once is not None else "         -"
    size = (layer or path).stat().st_size / 1e9 if (layer or path).is_file() else 0.0
    print(f"{name:22} {size:6.2f} GB {seconds:8.2f} s {beside} {peak:7.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--root", type=Path)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--files", type=int, default=100_000)
    chosen = parser.parse_args()
    print(f"{'form':22} {'stored':>9} {'judged':>10} {'read once':>10} {'memory':>10}")
    if chosen.archive is not None:
        row("archive", chosen.archive, None)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layer = folder / "layer.tar"
        if chosen.root is not None:
            row("unpacked root", chosen.root, None)
            subprocess.run(["tar", "-C", chosen.root, "-cf", layer, "."], check=True)
        else:
            write_layer(layer, gigabytes=chosen.gigabytes, files=chosen.files)
        packed = folder / "layer.tar.gz"
        compress(layer, packed)
        row("OCI layout, gzip", write_layout(folder / "gzip", packed), packed)
        row("OCI layout, plain", write_layout(folder / "plain", layer), layer)


if __name__ == "__main__":
    main()
