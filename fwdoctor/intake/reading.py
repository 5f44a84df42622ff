"""A pasted text to the Snapshot that `check` would have made of its machine.

Normalise, split where another machine or environment begins, let every parser look for
what it knows, merge in the order of trust, and fill in the records. Nothing in a paste
is followed, opened or run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fwdoctor.intake import (
    banners,
    collect_env,
    conda_list,
    containers,
    file_paths,
    hub_env,
    install_commands,
    issue_template,
    jax_env,
    kernel_log,
    lightning,
    mmcv,
    pip_list,
    pip_output,
    python_prompt,
    sentences,
    slurm,
    smi,
    tensorflow_log,
    toolkit_files,
    torch_log,
    variables,
)
from fwdoctor.intake.assemble import (
    make_container,
    make_driver,
    make_environment,
    make_gpus,
    make_host,
    make_libraries,
    make_nodes,
    make_pci,
    make_toolkits,
)
from fwdoctor.intake.merge import merge
from fwdoctor.intake.message_facts import read_messages
from fwdoctor.intake.normalise import normalise
from fwdoctor.model.snapshot import Message, ProbeReport, Snapshot
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwdoctor.intake.catalogue import Catalogue, MessageMatch
    from fwdoctor.intake.facts import Facts
    from fwdoctor.intake.merge import Merged
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Host

    Parser = Callable[[str], Facts | None]

# Most trusted first: programs that look at the machine, then what frameworks print,
# then lists of packages, then forms and what people say.
_EXACT: Final[tuple[Parser, ...]] = (
    collect_env.parse,
    smi.parse,
    kernel_log.parse,
    toolkit_files.parse,
    torch_log.parse,
    tensorflow_log.parse,
    banners.parse,
    lightning.parse,
    mmcv.parse,
    hub_env.parse,
    python_prompt.parse,
)
_STATED: Final[tuple[Parser, ...]] = (
    jax_env.parse,
    issue_template.parse,
    conda_list.parse,
    pip_list.parse,
    pip_output.parse,
    install_commands.parse,
    containers.parse,
    slurm.parse,
    variables.parse,
    file_paths.parse,
    sentences.parse,
)
# Reports stand at the beginning or end of what is pasted around them.
_HEAD: Final = 800_000
_TAIL: Final = 200_000


def read_report(text: str, *, catalogue: Catalogue, matrices: Matrices) -> Snapshot:
    """Everything the text says of a machine, its driver and its environments."""
    plain = normalise(text)
    matches = catalogue.match(plain)
    facts = _parse(_excerpt(plain), matches)
    merged = merge(facts)
    host = make_host(merged)
    main = make_environment(merged, host, matrices, is_target=True)
    return Snapshot(
        origin="pasted",
        host=host,
        driver=make_driver(merged, matrices),
        pci=make_pci(merged),
        gpus=make_gpus(merged, matrices),
        device_nodes=make_nodes(merged),
        xids=merged.xids or None,
        container=make_container(merged),
        toolkits=make_toolkits(merged),
        libraries=make_libraries(merged),
        environments=(main, *_others(merged, host, matrices)),
        env_vars=merged.env_vars,
        messages=tuple(_message(match) for match in matches),
        commands=merged.commands,
        probes=_reports(facts),
    )


def _excerpt(text: str) -> str:
    if len(text) <= _HEAD + _TAIL:
        return text
    return text[:_HEAD] + "\n" + text[-_TAIL:]


def _parse(text: str, matches: tuple[MessageMatch, ...]) -> list[Facts]:
    """What every parser found, most trusted first; known messages in the middle."""
    found = (
        *(parser(text) for parser in _EXACT),
        read_messages(matches),
        *(parser(text) for parser in _STATED),
    )
    return [facts for facts in found if facts is not None]


def _message(match: MessageMatch) -> Message:
    return Message(
        id=match.id,
        text=redact(match.text, home=None, user=None),
        line=match.line,
        captures=dict(match.captures),
    )


def _others(merged: Merged, host: Host, matrices: Matrices) -> tuple[Environment, ...]:
    """Environments of sources that name a framework in another version."""
    return tuple(
        make_environment(merge([facts]), host, matrices, is_target=False)
        for facts in merged.others
    )


def _reports(facts: Iterable[Facts]) -> tuple[ProbeReport, ...]:
    """Which formats were recognised, and where each begins."""
    return tuple(
        ProbeReport(name=item.source, status="ok", reason=_first_line(item))
        for item in facts
    )


def _first_line(facts: Facts) -> str:
    lines = [fact.line for fact in facts.values.values() if fact.line]
    return f"line {min(lines)}" if lines else ""
