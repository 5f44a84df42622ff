"""A whole fake machine: files, driver libraries, nvidia-smi, and variables to use it.

File probes read below `root` (named by FWDOCTOR_TEST_ROOT); native code is found by the
loader through LD_LIBRARY_PATH and answers from the scenario named by FWDOCTOR_FAKE_GPU.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fwdoctor.process import ChildResult, run_child
from fwdoctor.testing import tree as files
from fwdoctor.testing.build import place_library
from fwdoctor.testing.nvidia_smi import render_script
from fwdoctor.testing.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Variables of the calling process that would change what the fake machine looks like.
HIDDEN_PREFIXES = ("CUDA_", "NVIDIA_", "NV_", "SLURM_", "WSL")
HIDDEN_VARIABLES = (
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "KUBERNETES_SERVICE_HOST",
    "APPTAINER_NAME",
    "SINGULARITY_NAME",
)
NVML = "libnvidia-ml.so"
LIBCUDA = "libcuda.so"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMachine:
    """A folder that stands for `/` and the environment of processes on the machine."""

    scenario: Scenario
    root: Path
    env: Mapping[str, str]

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> ChildResult:
        """Run a command on this machine, killed with its children at the deadline."""
        return run_child(argv, timeout_s=timeout_s, env=self.env)


def build_machine(
    directory: Path, scenario: Scenario | str | Path, changes: Mapping[str, object] = {}
) -> FakeMachine:
    """Lay out the machine of a scenario, with some keys changed, below `directory`."""
    if not isinstance(scenario, Scenario):
        scenario = load_scenario(scenario)
    if changes:
        scenario = scenario.changed(changes)
    directory = directory.resolve()
    tree = files.Tree(directory / "root")
    files.add_system(tree, scenario)
    files.add_pci(tree, scenario)
    files.add_kernel_module(tree, scenario)
    files.add_nodes(tree, scenario)
    files.add_markers(tree, scenario)
    files.add_packages(tree, scenario)
    search_path = _add_driver_files(tree, scenario)
    for path, text in scenario.under("file.text.").items():
        tree.write(path, text.replace(r"\n", "\n") + "\n")
    native = directory / "gpu.scenario"
    native.write_text(scenario.to_text(), encoding="utf-8")
    env = _environment(tree.root, scenario, native, search_path)
    return FakeMachine(scenario=scenario, root=tree.root, env=env)


def library_directory(scenario: Scenario) -> str:
    """The folder the driver's libraries lie in."""
    if given := scenario.get("file.library_dir"):
        return given
    if scenario.get("file.wsl"):
        return "/usr/lib/wsl/lib"
    return f"/usr/lib/{files.architecture(scenario)}-linux-gnu"


def _add_driver_files(tree: files.Tree, scenario: Scenario) -> tuple[str, ...]:
    """Put libraries and nvidia-smi in place; the folders to search, in order."""
    main = library_directory(scenario)
    without = scenario.words("file.without")
    version = None if scenario.get("file.wsl") else scenario.get("driver")
    cache: dict[str, str] = {}
    folders: list[str] = []
    if "nvml" not in without:
        own = scenario.get("file.nvml_file_version") or version
        _place(tree, scenario, NVML, main, own)
        cache[f"{NVML}.1"] = f"{main}/{NVML}.1"
    if compat := scenario.get("file.compat"):
        folders.append("/usr/local/cuda/compat")
        _place(tree, scenario, LIBCUDA, folders[0], compat)
    if scenario.is_set("file.stub"):
        folders.append("/usr/local/cuda/lib64/stubs")
        _place(tree, scenario, LIBCUDA, folders[-1], None)
        tree.link(f"{folders[-1]}/{LIBCUDA}", f"{LIBCUDA}.1")
    if "libcuda" not in without:
        place = scenario.get("file.libcuda_dir") or main
        own = scenario.get("file.libcuda_version") or version
        _place(tree, scenario, LIBCUDA, place, own)
        cache[f"{LIBCUDA}.1"] = f"{place}/{LIBCUDA}.1"
        folders.append(place)
    if "nvidia-smi" not in without:
        home = main if scenario.get("file.wsl") else "/usr/bin"
        tree.write(f"{home}/nvidia-smi", render_script(scenario), 0o755)
    files.write_loader_cache(tree, cache, files.architecture(scenario))
    if scenario.get("file.container"):
        files.add_mounts(tree, tuple(cache.values()))
    return tuple(dict.fromkeys((*folders, main)))


def _place(
    tree: files.Tree, scenario: Scenario, name: str, folder: str, version: str | None
) -> None:
    place_library(name, tree.root / folder.lstrip("/"), scenario.omitted, version)


def _environment(
    root: Path, scenario: Scenario, native: Path, search_path: tuple[str, ...]
) -> dict[str, str]:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in HIDDEN_VARIABLES and not name.startswith(HIDDEN_PREFIXES)
    }
    programs = [str(root / "usr/bin")]
    if scenario.get("file.wsl"):
        programs.append(f"{root}{library_directory(scenario)}")
        env["WSL_DISTRO_NAME"] = "Ubuntu"
    if scenario.get("file.container") == "kubernetes":
        env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
    if scenario.get("file.container") == "singularity":
        env["SINGULARITY_NAME"] = "image.sif"
    env |= {
        "FWDOCTOR_TEST_ROOT": str(root),
        "FWDOCTOR_FAKE_GPU": str(native),
        "LD_LIBRARY_PATH": os.pathsep.join(f"{root}{folder}" for folder in search_path),
        "PATH": os.pathsep.join((*programs, env.get("PATH", os.defpath))),
    }
    return env | scenario.under("env.")
