"""Small root file systems with real shared objects, for images of every kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.probes.test_loader import SITE, Machine

OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n'
LD_CONF = "include /etc/ld.so.conf.d/*.conf\n"


class Root(Machine):
    """A root file system with a venv in /v, as the loader tests build it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write("etc/os-release", OS_RELEASE)
        self.write("etc/ld.so.conf", LD_CONF)
        self.write("etc/ld.so.conf.d/cuda.conf", "/usr/local/cuda/lib64\n")
        (root / "usr/lib").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")

    def distribution(
        self, name: str, version: str, files: tuple[str, ...] = ()
    ) -> None:
        folder = f"v/{SITE}/{name.replace('-', '_')}-{version}.dist-info"
        self.write(f"{folder}/METADATA", f"Name: {name}\nVersion: {version}\n")
        self.write(f"{folder}/INSTALLER", "pip\n")
        rows = []
        for path in files:
            target = self.root / f"v/{SITE}" / path
            rows.append(f"{path},sha256=x,{target.stat().st_size}\n")
        self.write(f"{folder}/RECORD", "".join(rows))

    def done(self) -> Path:
        """The finished root, without what compiling left."""
        shutil.rmtree(self.root / "stubs", ignore_errors=True)
        (self.root / "x.c").unlink(missing_ok=True)
        return self.root


@pytest.fixture(scope="session")
def cuda_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PyTorch for CUDA 13, its libraries, a toolkit, and cuDNN 8 of the system."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc builds the shared objects")
    root = Root(tmp_path_factory.mktemp("image") / "root")
    root.torch()
    root.distribution("torch", "2.15.0+cu132")
    root.nvidia("cu13", "libcudart.so.13")
    root.nvidia("cu13", "libcusparse.so.12")
    root.cudnn(f"v/{SITE}/nvidia/cudnn/lib", runpath="$ORIGIN")
    root.write("usr/local/cuda-12.4/version.json", '{"cuda": {"version": "12.4.1"}}')
    root.library("usr/local/cuda-12.4/lib64/libcudart.so.12")
    (root.root / "usr/local/cuda").symlink_to("cuda-12.4")
    root.library("opt/old/libcudnn.so.9")
    root.library("opt/old/libcudnn_graph.so.9")
    return root.done()


@pytest.fixture(scope="session")
def cpu_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PyTorch for the processor, and no shared object at all."""
    root = tmp_path_factory.mktemp("image") / "root"
    site = root / "opt/venv/lib/python3.12/site-packages"
    info = site / "torch-2.9.1+cpu.dist-info"
    for path, text in (
        (root / "etc/os-release", OS_RELEASE),
        (root / "opt/venv/pyvenv.cfg", "version = 3.12.4\n"),
        (root / "opt/venv/bin/python", "#!"),
        (site / "torch/__init__.py", ""),
        (site / "torch/version.py", "__version__ = '2.9.1+cpu'\ncuda = None\n"),
        (info / "METADATA", "Name: torch\nVersion: 2.9.1+cpu\n"),
        (info / "INSTALLER", "pip\n"),
        (info / "RECORD", ""),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root
