"""Words for what messages alone show: a finding with the user's own numbers.

The rule that hears a cause lends its code and name. What the message says comes from
the catalogue; the numbers and the commands come from the report and the matrices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor import compat, fixes, presence
from fwdoctor.model.finding import Evidence, Fix, Problem
from fwdoctor.rules.causes import HARMLESS_CAUSES
from fwdoctor.rules.runner import finding_of
from fwdoctor.solve.remedy import working_builds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwdoctor.model.finding import Certainty, Finding, Severity
    from fwdoctor.model.snapshot import Framework, Message
    from fwdoctor.rules.deciding import Decision
    from fwdoctor.rules.heard import Heard
    from fwdoctor.rules.registry import Rule
    from fwdoctor.versions import DriverVersion

MOST_LINES_SHOWN = 3
_CERTAINTIES: tuple[Certainty, ...] = ("proven", "likely", "possible")
_DRIVER_CAUSES = frozenset(
    {"driver-missing", "driver-not-loaded", "driver-library-mismatch", "uvm-or-suspend"}
)
_BUILD_CAUSES = frozenset({"gpu-arch-too-new", "gpu-arch-too-old", "cpu-only-build"})
_ARTICLES = frozenset({"The", "A", "An", "This", "There", "No", "What", "It"})
_SUBJECTS = {
    **dict.fromkeys((*_DRIVER_CAUSES, "driver-too-old", "fabric-manager"), "driver"),
    "container-no-gpu": "container",
    "hardware-fault": "GPU",
    "gpu-memory": "GPU",
}


def strongest(words: Iterable[Certainty]) -> Certainty:
    """The strongest of some certainties."""
    return min(words, key=_CERTAINTIES.index, default="possible")


def evidence_of(messages: Iterable[Message]) -> tuple[Evidence, ...]:
    """The lines a finding rests on, each once."""
    distinct = {message.text: message for message in messages}
    return tuple(
        Evidence(fact=m.id, value=m.text, source=f"line {m.line}")
        for m in list(distinct.values())[:MOST_LINES_SHOWN]
    )


def tell(rule: Rule, decisions: list[Decision], heard: Heard) -> Finding:
    """The finding that these decisions, all for the rule's cause, make together."""
    first = min(decisions, key=lambda d: _CERTAINTIES.index(d.certainty))
    certainty = first.certainty
    if certainty == "likely" and _stands_alone(heard):
        certainty = "possible"
    entry = first.told.entry
    meaning = entry.meaning.rstrip(".")
    is_own = entry.cause == rule.cause
    message = _message(rule.cause, heard) or (
        meaning if is_own else f"{_title(rule.cause)}: {_quoted(first.told.message)}"
    )
    details = [d.why for d in decisions if d.why][:1]
    if is_own and message != meaning:
        details.append(meaning)
    return finding_of(
        rule,
        Problem(
            subject=_SUBJECTS.get(rule.cause) or _product(heard) or entry.origin,
            message=_hedged(message) if certainty == "possible" else message,
            detail="\n".join(details),
            evidence=evidence_of(d.told.message for d in decisions),
            fix=fixes_of(rule.cause, heard, hint=entry.fix_hint if is_own else None),
            certainty=certainty,
            severity=_severity(rule, certainty),
            references=entry.sources,
        ),
    )


def _stands_alone(heard: Heard) -> bool:
    """Whether the text holds one line that may mean several things, and no fact."""
    if len(heard.told) != 1 or not heard.told[0].entry.also:
        return False
    snapshot = heard.snapshot
    is_told = snapshot.gpus or snapshot.driver.version or snapshot.container
    return not is_told and not presence.frameworks(snapshot.target)


def _hedged(message: str) -> str:
    """The message as a possibility; a name at its beginning keeps its capital."""
    first, blank, rest = message.partition(" ")
    start = first.lower() if first in _ARTICLES else first
    return f"possibly {start}{blank}{rest}"


def _severity(rule: Rule, certainty: Certainty) -> Severity:
    if rule.cause in HARMLESS_CAUSES:
        return "info"
    return "warning" if certainty == "possible" else "error"


def _title(cause: str) -> str:
    """A cause in words, for a finding whose message could mean several."""
    return _TITLES.get(cause, cause.replace("-", " "))


_TITLES = {
    "driver-missing": "no NVIDIA driver",
    "driver-not-loaded": "the NVIDIA kernel module is not loaded",
    "driver-library-mismatch": "driver and driver library differ",
    "driver-too-old": "the driver is too old",
    "container-no-gpu": "the container was given no GPU",
    "device-permission": "the device files may not be opened",
    "visible-devices": "the GPUs are hidden from the program",
    "uvm-or-suspend": "the driver's memory module is broken, often after suspend",
    "fabric-manager": "the fabric manager is not running",
    "forward-compat": "CUDA compatibility libraries that do not work here",
    "mig-config": "the MIG instances are not set up",
    "hardware-fault": "a hardware fault of the GPU",
    "wsl-specific": "the driver of WSL is not found or is covered",
    "gpu-arch-too-new": "the GPU is newer than the build",
    "gpu-arch-too-old": "the GPU is older than the build",
    "cpu-only-build": "a build without CUDA",
    "no-wheel-for-platform": "no GPU build for this platform",
    "python-unsupported": "no build for this Python",
    "wrong-index-or-pin": "a version or build that does not exist there",
    "cuda-lib-missing": "a CUDA library is not found",
    "cuda-lib-conflict": "CUDA libraries of different versions",
    "cudnn-mismatch": "cuDNN does not fit the build",
    "duplicate-or-shadowed-install": "two installations cover each other",
    "companion-mismatch": "a package was built for another framework build",
    "numpy-abi": "NumPy 2 with a package built for NumPy 1",
    "protobuf-abi": "a protobuf that does not fit",
    "glibc-or-cpu": "the processor or C library is too old for the build",
    "host-runtime-lib": "a system library is missing",
    "shm-or-limits": "a limit of the system",
    "compiler-toolchain": "the compiler or its targets do not fit",
    "gpu-memory": "the GPU's memory is used up",
    "not-an-install-problem": "not a fault of the installation",
}


def _quoted(message: Message) -> str:
    text = " ".join(message.text.split())
    short = text if len(text) <= 90 else f"{text[:87]}..."
    return f"«{short}»"


def _product(heard: Heard) -> str:
    found = presence.frameworks(heard.snapshot.target)
    return next((presence.product_name(n, f) for n, f in found.items()), "")


def _framework(heard: Heard) -> tuple[str, Framework] | None:
    """The framework of the report: one built for CUDA before another."""
    found = presence.frameworks(heard.snapshot.target)
    ordered = sorted(found.items(), key=lambda item: item[1].cuda is None)
    return next(iter(ordered), None)


# Messages with numbers


def _message(cause: str, heard: Heard) -> str:
    make = _MESSAGES.get(cause)
    return make(heard) if make else ""


def _say_driver_too_old(heard: Heard) -> str:
    snapshot = heard.snapshot
    framework = _framework(heard)
    speaks = presence.driver_cuda(snapshot)
    required = heard.capture("container.required_cuda")
    driver = f"driver {snapshot.driver.version}" if snapshot.driver.version else ""
    if not driver and speaks is not None:
        driver = f"a driver that speaks CUDA {speaks}"
    if required:
        return f"the image asks for CUDA {required}, {driver or 'the driver'} is older"
    if not driver or framework is None or framework[1].cuda is None:
        return ""
    product = presence.product_name(*framework)
    return f"{driver} is too old for {product}, built for CUDA {framework[1].cuda}"


def _say_library_missing(heard: Heard) -> str:
    missing = [name.rstrip(".") for name in heard.captures("library.missing")][:2]
    if not missing:
        return ""
    verb = "is" if len(missing) == 1 else "are"
    framework = _framework(heard)
    asking = (
        f", which {presence.product_name(*framework)} asks for" if framework else ""
    )
    return f"{' and '.join(missing)} {verb} not found{asking}"


def _say_cudnn(heard: Heard) -> str:
    loaded = _dotted(heard.capture("cudnn.loaded"))
    built = _dotted(heard.capture("cudnn.built"))
    if not loaded or not built:
        return ""
    framework = _framework(heard)
    product = presence.product_name(*framework) if framework else "the framework"
    return f"cuDNN {loaded} is loaded, {product} was compiled for {built}"


def _dotted(text: str | None) -> str:
    return ".".join((text or "").replace(",", " ").replace(".", " ").split())


def _say_gpu(heard: Heard, word: str) -> str:
    name = heard.capture("gpu.name") or next(
        (gpu.name for gpu in heard.snapshot.gpus or () if gpu.name), None
    )
    framework = _framework(heard)
    if not name or framework is None:
        return ""
    return f"{name} is too {word} for {presence.product_name(*framework)}"


_MESSAGES: dict[str, Callable[[Heard], str]] = {
    "driver-too-old": _say_driver_too_old,
    "cuda-lib-missing": _say_library_missing,
    "cudnn-mismatch": _say_cudnn,
    "gpu-arch-too-new": lambda heard: _say_gpu(heard, "new"),
    "gpu-arch-too-old": lambda heard: _say_gpu(heard, "old"),
}


# Fixes


def fixes_of(cause: str, heard: Heard, *, hint: str | None) -> tuple[Fix, ...]:
    """What to do about a cause in this report, the easiest first."""
    hinted = (Fix(effort="environment", why=hint.rstrip(".")),) if hint else ()
    made = _fixes(cause, heard)
    # Commands say more than a hint, which is kept where there are none.
    return made if any(fix.commands for fix in made) else (*hinted, *made)


def _fixes(cause: str, heard: Heard) -> tuple[Fix, ...]:
    snapshot, matrices = heard.snapshot, heard.matrices
    framework = _framework(heard)
    if cause == "driver-too-old":
        least = _least_driver(heard)
        builds = working_builds(snapshot, matrices, framework[0]) if framework else ()
        return (*builds, fixes.driver_upgrade(snapshot, matrices, least))
    if cause in _BUILD_CAUSES and framework is not None:
        return working_builds(snapshot, matrices, framework[0])
    if cause == "container-no-gpu":
        return fixes.start_with_gpu(snapshot)
    if cause == "driver-library-mismatch" and not snapshot.container:
        return (fixes.reboot("load the kernel module that fits the new libraries"),)
    if cause == "driver-missing" and snapshot.host.os == "linux":
        return (fixes.driver_upgrade(snapshot, matrices, None),)
    return ()


def _least_driver(heard: Heard) -> DriverVersion | None:
    """The least driver for the framework's CUDA, or for what an image requires."""
    framework = _framework(heard)
    cuda = framework[1].cuda if framework else None
    if cuda is None:
        return None
    os_name = presence.driver_os(heard.snapshot)
    return compat.least_driver(cuda, heard.matrices, os_name=os_name)
