"""A pasted text to the Snapshot that `check` would have made of its machine.

Normalise, split where another machine or environment begins, let every parser look for
what it knows, merge in the order of trust, and fill in the records. Nothing in a paste
is followed, opened or run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fwdoctor.intake import (
    collect_env,
    conda_list,
    containers,
    file_paths,
    install_commands,
    issue_template,
    pip_list,
    pip_output,
    sentences,
    smi,
    tensorflow_log,
    torch_log,
    variables,
)
from fwdoctor.intake.assemble import (
    FACTS_OF_CAPTURES,
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
from fwdoctor.intake.facts import Fact, Facts
from fwdoctor.intake.merge import merge
from fwdoctor.intake.normalise import normalise
from fwdoctor.model.snapshot import Message, ProbeReport, Snapshot
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwdoctor.intake.catalogue import Catalogue
    from fwdoctor.intake.facts import FactName
    from fwdoctor.intake.merge import Merged
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment, Host

# Most trusted first: programs that look at the machine, then what frameworks print,
# then lists of packages, then forms and what people say.
PARSERS: Final[tuple[Callable[[str], Facts | None], ...]] = (
    collect_env.parse,
    smi.parse,
    torch_log.parse,
    tensorflow_log.parse,
    issue_template.parse,
    conda_list.parse,
    pip_list.parse,
    pip_output.parse,
    install_commands.parse,
    containers.parse,
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
    messages = _messages(plain, catalogue)
    facts = _parse(_excerpt(plain))
    heard = _heard(messages)
    merged = merge([*facts, heard])
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
        messages=messages,
        commands=merged.commands,
        probes=_reports(facts),
    )


def _excerpt(text: str) -> str:
    if len(text) <= _HEAD + _TAIL:
        return text
    return text[:_HEAD] + "\n" + text[-_TAIL:]


def _parse(text: str) -> list[Facts]:
    found = (parser(text) for parser in PARSERS)
    return [facts for facts in found if facts is not None]


def _messages(text: str, catalogue: Catalogue) -> tuple[Message, ...]:
    return tuple(
        Message(
            id=match.id,
            text=redact(match.text, home=None, user=None),
            line=match.line,
            captures=dict(match.captures),
        )
        for match in catalogue.match(text)
    )


def _heard(messages: Iterable[Message]) -> Facts:
    """What known messages name besides, trusted least."""
    values: dict[FactName, Fact] = {}
    for message in messages:
        for capture, value in message.captures.items():
            name = FACTS_OF_CAPTURES.get(capture)
            if name is not None and value:
                values.setdefault(name, Fact(value, message.line))
    return Facts(source="messages", values=values)


def _others(
    merged: Merged, host: Host, matrices: Matrices
) -> tuple[Environment, ...]:
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
