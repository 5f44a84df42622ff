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
    conda_info,
    conda_list,
    containers,
    file_paths,
    hub_env,
    image_tags,
    install_commands,
    issue_template,
    jax_env,
    kernel_log,
    lightning,
    linux_tools,
    message_facts,
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
from fwdoctor.intake.normalise import normalise
from fwdoctor.intake.parts import choose, part_facts, split
from fwdoctor.model.snapshot import Message, ProbeReport, Snapshot
from fwdoctor.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

    from fwdoctor.intake.catalogue import Catalogue, MessageMatch
    from fwdoctor.intake.facts import Facts
    from fwdoctor.intake.parts import Choice, Part
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Environment

# Most trusted first: programs that look at the machine, then what frameworks print,
# then lists of packages, then forms and what people say.
_PARSERS: Final[tuple[ModuleType, ...]] = (
    collect_env,
    smi,
    kernel_log,
    linux_tools,
    toolkit_files,
    torch_log,
    tensorflow_log,
    banners,
    lightning,
    mmcv,
    hub_env,
    python_prompt,
    message_facts,  # reads the known messages, not the text
    jax_env,
    issue_template,
    conda_info,
    conda_list,
    pip_list,
    pip_output,
    install_commands,
    containers,
    image_tags,
    slurm,
    variables,
    file_paths,
    sentences,
)
_TRUST: Final = {parser.SOURCE: place for place, parser in enumerate(_PARSERS)}
# Reports stand at the beginning or end of what is pasted around them.
_HEAD: Final = 400_000
_TAIL: Final = 100_000


def read_report(text: str, *, catalogue: Catalogue, matrices: Matrices) -> Snapshot:
    """Everything the text says of a machine, its driver and its environments."""
    plain = normalise(text)
    matches = catalogue.match(plain)
    parts = split(_excerpt(plain))
    choice = choose(parts, [_parse(part, matches) for part in parts])
    facts = sorted(choice.facts, key=_trust)
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
        environments=(main, *_others([*merged.others, *choice.apart], matrices)),
        env_vars=merged.env_vars,
        messages=tuple(_message(match) for match in _heard(matches, choice)),
        commands=merged.commands,
        probes=_reports(facts),
    )


def _excerpt(text: str) -> str:
    if len(text) <= _HEAD + _TAIL:
        return text
    return text[:_HEAD] + "\n" + text[-_TAIL:]


def _parse(part: Part, matches: tuple[MessageMatch, ...]) -> tuple[Facts, ...]:
    """What every parser and the known messages establish in one part."""
    last = part.line + part.text.count("\n")
    own = [match for match in matches if part.line <= match.line <= last]
    found: list[Facts | None] = [message_facts.read_messages(own)]
    found.extend(
        part_facts(parser.parse(part.text), part)
        for parser in _PARSERS
        if parser is not message_facts
    )
    return tuple(facts for facts in found if facts is not None)


def _trust(facts: Facts) -> int:
    return _TRUST[facts.source]


def _heard(matches: Iterable[MessageMatch], choice: Choice) -> list[MessageMatch]:
    """The messages but for those of machines that were kept apart."""
    every = list(matches)
    own = [m for m in every if not any(m.line in lines for lines in choice.apart_lines)]
    return own or every


def _message(match: MessageMatch) -> Message:
    return Message(
        id=match.id,
        text=redact(match.text, home=None, user=None),
        line=match.line,
        captures=dict(match.captures),
    )


def _others(
    found: Iterable[Facts | tuple[Facts, ...]], matrices: Matrices
) -> tuple[Environment, ...]:
    """Environments that only bear on the main one by being different."""
    environments = []
    for facts in found:
        merged = merge(facts if isinstance(facts, tuple) else (facts,))
        host = make_host(merged)
        other = make_environment(merged, host, matrices, is_target=False)
        if other.torch or other.tensorflow or other.packages:
            environments.append(other)
    return tuple(environments)


def _reports(facts: Iterable[Facts]) -> tuple[ProbeReport, ...]:
    """Which formats were recognised, and where each begins."""
    return tuple(
        ProbeReport(name=item.source, status="ok", reason=_first_line(item))
        for item in facts
    )


def _first_line(facts: Facts) -> str:
    lines = [fact.line for fact in facts.values.values() if fact.line]
    return f"line {min(lines)}" if lines else ""
