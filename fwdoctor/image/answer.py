"""On which hosts and GPUs does an image run? Pure functions over snapshot and matrices.

Every verdict is compat's, so that an image and a machine are judged alike.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fwdoctor import compat, presence
from fwdoctor.image.facts import Reach
from fwdoctor.versions import CudaVersion, DriverVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Framework, Snapshot
    from fwdoctor.versions import ComputeCapability

COMPAT = "cuda-compat"
LABEL = "io.fwdoctor"


def find_reach(snapshot: Snapshot, matrices: Matrices) -> tuple[Reach, ...]:
    """The reach of every framework in the snapshot's environments."""
    return tuple(
        _reach_of(name, framework, environment, snapshot, matrices)
        for environment in snapshot.environments
        for name, framework in presence.frameworks(environment).items()
    )


def _reach_of(
    name: str,
    framework: Framework,
    environment: Environment,
    snapshot: Snapshot,
    matrices: Matrices,
) -> Reach:
    known = {
        "framework": name,
        "product": presence.product_name(name, framework),
        "environment": environment.prefix,
        "kind": framework.kind,
    }
    cuda = framework.cuda
    if framework.kind != "cuda" or cuda is None:
        return Reach(**known, reason=_why_not(framework))  # type: ignore[arg-type]  # the names above
    toolkit = matrices.find_toolkit(cuda)
    package, branches = find_compat(snapshot, matrices, cuda)
    by_answer: dict[str, list[ComputeCapability]] = {}
    for row in matrices.architectures():
        if row.is_tegra and snapshot.host.machine != "aarch64":
            continue
        cc = row.compute_capability
        by_answer.setdefault(_answer(name, framework, cc, matrices), []).append(cc)
    return Reach(
        **known,  # type: ignore[arg-type]  # the names above
        cuda=cuda,
        min_driver=compat.least_driver(cuda, matrices),
        full_driver=toolkit.min_driver.get("linux") if toolkit else None,
        compat_package=package,
        compat_branches=branches,
        native=tuple(sorted(by_answer.get("native", ()))),
        ptx_only=tuple(sorted(by_answer.get("ptx", ()))),
        not_at_all=tuple(sorted(by_answer.get("no", ()))),
        unknown=tuple(sorted(by_answer.get("unknown", ()))),
    )


def _why_not(framework: Framework) -> str:
    if framework.kind == "cpu":
        return "a CPU-only build: it uses no GPU on any host"
    if framework.kind in ("rocm", "xpu", "metal"):
        return f"a {framework.kind} build: not NVIDIA's field"
    return framework.problem or "the CUDA version of this build is not known"


def _answer(
    name: str, framework: Framework, cc: ComputeCapability, matrices: Matrices
) -> str:
    verdict = compat.build_runs(name, framework, cc, matrices)
    if verdict.ok is None:
        return "unknown"
    if not verdict.ok:
        return "no"
    return "ptx" if verdict.how == "ptx-jit" else "native"


def find_compat(
    snapshot: Snapshot, matrices: Matrices, cuda: CudaVersion
) -> tuple[str | None, tuple[int, ...]]:
    """The compat package in the image that serves `cuda`, and the branches it helps."""
    branches = {
        int(number)
        for library in snapshot.libraries or ()
        if library.name == COMPAT
        and (number := (library.version or "").partition(".")[0]).isdigit()
    }
    for row in matrices.raw("nvidia/forward_compat.json").get("records", ()):
        served = CudaVersion.parse(row["cuda"])
        if row["driver_branch"] in branches and served >= cuda:
            return row["package"], tuple(sorted(row["base_branches"]))
    return None, ()


def overall_driver(
    reach: Iterable[Reach], snapshot: Snapshot, matrices: Matrices
) -> DriverVersion | None:
    """The least driver that all CUDA builds of the image run on.

    In an image without a framework, that of the newest CUDA toolkit in it.
    """
    rows = tuple(reach)
    found = [row.min_driver for row in rows if row.min_driver is not None]
    if not rows:
        toolkits = [t.version for t in snapshot.toolkits or () if t.version]
        least = (compat.least_driver(version, matrices) for version in toolkits)
        found = [driver for driver in least if driver is not None]
    return max(found, default=None)


def require_cuda(
    driver: DriverVersion | None, reach: Iterable[Reach], matrices: Matrices
) -> str | None:
    """The value of NVIDIA_REQUIRE_CUDA that admits the hosts it runs on, and no others.

    Words are alternatives, conditions joined by commas must all hold:
    https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/docker-specialized.html
    """
    speaks = compat.driver_speaks(driver, matrices) if driver is not None else None
    if driver is None or speaks is None:
        return None
    helped = [set(r.compat_branches) for r in reach if r.min_driver is not None]
    common = set.intersection(*helped) if helped else set()
    older = sorted(branch for branch in common if branch < driver.branch)
    alternatives = [f"brand=tesla,driver>={b},driver<{b + 1}" for b in older]
    return " ".join([f"cuda>={speaks}", *alternatives])


def labels_for(
    reach: tuple[Reach, ...], driver: DriverVersion | None, require: str | None
) -> Mapping[str, str]:
    """Labels to stamp on the image, so that a scheduler can read the answer."""
    labels: dict[str, str] = {}
    if driver is not None:
        labels[f"{LABEL}.driver.min"] = str(driver)
    if require is not None:
        labels[f"{LABEL}.cuda.require"] = require
    usable = [set(r.native) | set(r.ptx_only) for r in reach if r.cuda is not None]
    if usable:
        common = sorted(set.intersection(*usable))
        labels[f"{LABEL}.compute-capability"] = ",".join(str(cc) for cc in common)
    for row in reach:
        _, _, version = row.product.rpartition(" ")
        cuda = f"+cuda{row.cuda}" if row.cuda is not None else f"+{row.kind}"
        labels.setdefault(f"{LABEL}.{row.framework}", f"{version}{cuda}")
    return labels


def is_gpu_image(snapshot: Snapshot, configured: Mapping[str, str]) -> str | None:
    """What says that the image is meant for NVIDIA GPUs; None when nothing does.

    `configured` are the variables that its configuration sets.
    """
    for name in ("NVIDIA_REQUIRE_CUDA", "NVIDIA_VISIBLE_DEVICES", "CUDA_VERSION"):
        if configured.get(name) not in (None, "", "void", "none"):
            return f"{name} is set"
    for toolkit in snapshot.toolkits or ():
        return f"a CUDA toolkit is in {toolkit.path}"
    for library in snapshot.libraries or ():
        return f"{posixpath.basename(library.path)} is in it"
    return None
