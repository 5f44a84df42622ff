"""Probes an opened image and judges it: `check`'s findings, and the answer."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from fwdoctor import presence
from fwdoctor.image.answer import (
    find_reach,
    is_gpu_image,
    labels_for,
    overall_driver,
    require_cuda,
)
from fwdoctor.image.driver_library import iter_problems
from fwdoctor.image.environments import find_prefixes, iter_image_files
from fwdoctor.image.facts import ImageFacts, ImageReport
from fwdoctor.image.waste import find_waste
from fwdoctor.judge import judge
from fwdoctor.model.finding import FrameworkVerdict, Problem, Report
from fwdoctor.model.snapshot import Container, Driver, Host, Snapshot
from fwdoctor.probes.environments import read_environment
from fwdoctor.probes.machine import Target, probe_machine
from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.ranking import rank
from fwdoctor.rules.registry import find_rule, load_rules
from fwdoctor.rules.runner import finding_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from fwdoctor.image.facts import Reach, Waste
    from fwdoctor.image.reading import OpenedImage
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.finding import Finding, VerdictWord
    from fwdoctor.model.snapshot import Environment, LibCuda
    from fwdoctor.probes.source import Source

_CPU_RULES = {"torch": "FW401", "tensorflow": "FW501"}


def probe_image(
    image: OpenedImage, target: str | None = None
) -> tuple[Snapshot, tuple[Waste, ...]]:
    """The image's snapshot, every environment with a framework read in full."""
    source = image.source
    files = list(iter_image_files(source))
    prefixes = find_prefixes(path for path, _ in files)
    cwd = image.config.working_dir if image.config.working_dir[:1] == "/" else "/"
    snapshot = probe_machine(source, Target(path=target, cwd=cwd), origin="image")
    if target is None and prefixes and not presence.frameworks(snapshot.target):
        chosen = Target(path=prefixes[0], cwd=cwd)
        snapshot = probe_machine(source, chosen, origin="image")
    snapshot = static_part(_with_others(snapshot, source, prefixes, cwd))
    waste = find_waste(files, snapshot, hidden_bytes=image.hidden_bytes)
    return snapshot, waste


def _with_others(
    snapshot: Snapshot, source: Source, prefixes: Iterable[str], cwd: str
) -> Snapshot:
    target = snapshot.target
    read = [target] if target is not None else []
    known = {source.resolve(target.prefix)} if target is not None else set()
    for prefix in prefixes:
        true_path = source.resolve(prefix)
        if true_path in known:
            continue
        known.add(true_path)
        other = _read(source, prefix, cwd)
        if other is not None and not _is_read(other, read, source):
            read.append(replace(other, is_target=target is None and not read))
    return replace(snapshot, environments=tuple(read))


def _is_read(other: Environment, read: list[Environment], source: Source) -> bool:
    """Whether an environment read before has these very frameworks.

    Debian's Python looks into /usr/local/lib as well: one installation, two prefixes.
    """
    known = {path for environment in read for path in _places(environment, source)}
    places = _places(other, source)
    return bool(places) and places <= known


def _places(environment: Environment, source: Source) -> set[str]:
    frameworks = presence.frameworks(environment).values()
    return {source.resolve(f.path) for f in frameworks if f.path is not None}


def _read(source: Source, prefix: str, cwd: str) -> Environment | None:
    from fwdoctor.errors import UsageError

    try:
        return read_environment(
            source, prefix, is_target=True, is_active=False, cwd=cwd
        )
    except (UsageError, OSError, ValueError):
        return None  # libraries without an interpreter


def static_part(snapshot: Snapshot) -> Snapshot:
    """The snapshot without what belongs to a running machine.

    Driver files in an image stay: they are a fault of their own. What else could be
    read of a device, kernel or container is of the machine where the image was made.
    """
    host, driver = snapshot.host, snapshot.driver
    container = snapshot.container or Container()
    return replace(
        snapshot,
        origin="image",
        host=Host(
            os=host.os or "linux",
            distribution=host.distribution,
            distribution_id=host.distribution_id,
            distribution_like=host.distribution_like,
            distribution_version=host.distribution_version,
            machine=host.machine,
            libc=host.libc,
            libc_version=host.libc_version,
            is_tegra=host.is_tegra,
            tegra_release=host.tegra_release,
            compilers=host.compilers,
            tools=host.tools,
        ),
        driver=Driver(packages=driver.packages),
        pci=None,
        gpus=None,
        device_nodes=None,
        xids=None,
        container=replace(
            container,
            kind=None,
            has_driver_mounts=None,
            scheduler=None,
            scheduler_gpus=None,
        ),
    )


def judge_image(  # noqa: PLR0913  # facts and wishes, all but two by name
    snapshot: Snapshot,
    matrices: Matrices,
    *,
    image: ImageFacts,
    waste: tuple[Waste, ...] = (),
    configured: Mapping[str, str] | None = None,
    libcuda: LibCuda | None = None,
    meant_by: str | None = None,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
) -> ImageReport:
    """The report on an image.

    `configured` are the variables its configuration sets, `libcuda` the one of the
    image that its LD_LIBRARY_PATH finds; `meant_by` says, if known, why the image is
    meant for GPUs.
    """
    report = judge(snapshot, matrices, select=select, ignore=ignore)
    meant_by = meant_by or is_gpu_image(snapshot, configured or {})
    reach = find_reach(snapshot, matrices)
    found = [
        *report.findings,
        *_findings_of_others(snapshot, matrices, select, ignore),
        *_cpu_builds(snapshot, meant_by, select, ignore),
        *_hidden_driver(libcuda, snapshot, reach, select, ignore),
    ]
    findings = rank(tuple(found), load_rules())
    driver = overall_driver(reach, snapshot, matrices)
    require = require_cuda(driver, reach, matrices)
    base = {f.name: getattr(report, f.name) for f in fields(Report)}
    judged = ImageReport(
        **base,
        image=image,
        reach=reach,
        min_driver=driver,
        require_cuda=require,
        require_cuda_now=snapshot.container.nvidia_require_cuda
        if snapshot.container
        else None,
        labels=labels_for(reach, driver, require),
        waste=waste,
    )
    return worded(replace(judged, findings=findings))


def _findings_of_others(
    snapshot: Snapshot,
    matrices: Matrices,
    select: Collection[str],
    ignore: Collection[str],
) -> list[Finding]:
    """What is found in the environments beside the first, each named."""
    found: list[Finding] = []
    for other in snapshot.environments:
        if other.is_target:
            continue
        own = replace(snapshot, environments=(replace(other, is_target=True),))
        report = judge(own, matrices, select=select, ignore=ignore)
        found.extend(
            replace(f, message=f"{f.message} (in {other.prefix})")
            for f in report.findings
            if f.subject.partition(" ")[0] in _subjects(other)
        )
    return found


def _subjects(environment: Environment) -> set[str]:
    installed = {package.name for package in environment.packages or ()}
    return installed | {"Python"}


def _cpu_builds(
    snapshot: Snapshot,
    meant_by: str | None,
    select: Collection[str],
    ignore: Collection[str],
) -> list[Finding]:
    """CPU-only frameworks in an image that is meant for GPUs."""
    rules = load_rules()
    found = []
    for environment in snapshot.environments if meant_by else ():
        for name, framework in presence.frameworks(environment).items():
            rule = find_rule(_CPU_RULES[name], rules)
            wanted = rule is not None and _is_wanted(
                rule.code, rule.name, select, ignore
            )
            if framework.kind != "cpu" or rule is None or not wanted:
                continue
            product = presence.product_name(name, framework)
            problem = Problem(
                subject=product,
                message=f"{product} was built without CUDA, in an image for GPUs",
                detail=f"{meant_by}; {environment.prefix} will only use the processor",
                blocks=(name,),  # type: ignore[arg-type]  # torch or tensorflow
            )
            found.append(finding_of(rule, problem))
    return found


def _hidden_driver(
    libcuda: LibCuda | None,
    snapshot: Snapshot,
    reach: Iterable[Reach],
    select: Collection[str],
    ignore: Collection[str],
) -> Iterator[Finding]:
    """A stub or an old compat library that comes before the host's driver."""
    rules = load_rules()
    value = snapshot.env_vars.get("LD_LIBRARY_PATH", "")
    for code, problem in iter_problems(libcuda, value, reach):
        rule = find_rule(code, rules)
        if rule is not None and _is_wanted(rule.code, rule.name, select, ignore):
            yield finding_of(rule, problem)


def _is_wanted(
    code: str, name: str, select: Collection[str], ignore: Collection[str]
) -> bool:
    def matches(patterns: Collection[str]) -> bool:
        return any(code.startswith(p.upper()) or name == p.lower() for p in patterns)

    return (not select or matches(select)) and not matches(ignore)


def worded(report: ImageReport) -> ImageReport:
    """The report with the verdict and headline its findings and reach deserve."""
    frameworks = {
        name: _verdict_of(verdict, name, report)
        for name, verdict in report.frameworks.items()
    }
    return replace(
        report,
        frameworks=frameworks,
        verdict=_verdict_word(report),
        headline=_headline(report),
    )


def _verdict_of(
    verdict: FrameworkVerdict, name: str, report: ImageReport
) -> FrameworkVerdict:
    blocking = _blocking(name, report.findings)
    if blocking is not None:
        reason = f"{blocking.code} {blocking.name}"
        return replace(verdict, gpu_usable=False, reason=reason)
    row = next((r for r in report.reach if r.framework == name), None)
    if row is None or row.min_driver is None:
        usable = False if row is not None and row.kind == "cpu" else None
        return replace(verdict, gpu_usable=usable, reason=row.reason if row else "")
    reason = f"depends on the host: driver {row.min_driver} or newer"
    return replace(verdict, gpu_usable=None, reason=reason)


def _blocking(name: str, findings: tuple[Finding, ...]) -> Finding | None:
    return next(
        (f for f in findings if f.severity == "error" and name in f.blocks), None
    )


def _alarms(report: ImageReport) -> list[Finding]:
    return [
        f
        for f in report.findings
        if f.severity != "info" and f.cause not in HARMLESS_CAUSES
    ]


def _verdict_word(report: ImageReport) -> VerdictWord:
    if _alarms(report):
        return "findings"
    if not report.reach:
        return "nothing-to-check"
    unknown = ("cuda", "unknown")
    if all(row.min_driver is None and row.kind in unknown for row in report.reach):
        return "not-enough-facts"
    return "healthy"


def _headline(report: ImageReport) -> str:
    blocked = _names(
        row for row in report.reach if _blocking(row.framework, report.findings)
    )
    running = _names(
        row
        for row in report.reach
        if row.min_driver is not None and row.framework not in blocked
    )
    if blocked:
        cannot = f"{_join(blocked)} in this image cannot use a GPU"
        return f"{cannot}; {_join(running)} can." if running else f"{cannot}."
    if any(f.severity == "error" for f in _alarms(report)):
        return "Something is wrong with the GPU installation in this image."
    if running and report.min_driver is not None:
        run = "run" if len(running) > 1 else "runs"
        note = ", with a warning" if _alarms(report) else ""
        needs = f"driver {report.min_driver} or newer"
        return f"{_join(running)} in this image {run} on hosts with {needs}{note}."
    if report.reach:
        return _headline_without_driver(report.reach)
    none = "No PyTorch or TensorFlow in this image"
    if report.min_driver is not None:
        return f"{none}; its CUDA toolkit needs driver {report.min_driver} or newer."
    return f"{none}."


def _headline_without_driver(reach: tuple[Reach, ...]) -> str:
    """Of frameworks for which no host driver can be named."""
    names = _names(reach)
    if all(row.kind == "cpu" for row in reach):
        run = "run" if len(names) > 1 else "runs"
        return f"{_join(names)} in this image {run} on the CPU."
    if any(row.kind in ("cuda", "unknown") for row in reach):
        return f"Which driver {_join(names)} in this image needs is not known."
    return f"{_join(names)} in this image is not a build for NVIDIA GPUs."


def _names(rows: Iterable[Reach]) -> list[str]:
    return list(dict.fromkeys(row.framework for row in rows))


def _join(names: list[str]) -> str:
    return " and ".join(presence.FRAMEWORK_NAMES.get(name, name) for name in names)


def facts_of(image: OpenedImage, architecture: str | None) -> ImageFacts:
    """The image's own description; a root has only what its files tell."""
    config = image.config
    names = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
    return ImageFacts(
        kind=image.kind,  # type: ignore[arg-type]  # one of the words
        platform=config.platform or names.get(architecture or ""),
        digest=image.digest,
        tags=image.tags,
        layers=image.layers,
        stored_bytes=image.stored_bytes,
        user=config.user or None,
        working_dir=config.working_dir,
        entrypoint=config.entrypoint,
        command=config.command,
        labels=config.labels,
    )
