"""Pasted text to a Snapshot: every parser reads it, their facts are made one.

A parser is a pure function from the normalised text to `Facts`, or None where its
format is not met; each looks for a cheap literal first. They stand here in the order
in which their facts count (see `merge`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.intake import (
    collect_env,
    conda_list,
    containers,
    file_paths,
    install_commands,
    issue_template,
    pip_list,
    pip_output,
    prose,
    smi,
    tensorflow_log,
    torch_log,
    variables,
)
from fwdoctor.intake.assembly import assemble
from fwdoctor.intake.merge import merge
from fwdoctor.intake.message_facts import read_messages
from fwdoctor.intake.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwdoctor.intake.catalogue import Catalogue
    from fwdoctor.intake.facts import Facts
    from fwdoctor.matrices.load import Matrices
    from fwdoctor.model.snapshot import Snapshot

    Parser = Callable[[str], Facts | None]

# Before the messages and after them, in the order in which they count.
_EXACT: tuple[Parser, ...] = (
    collect_env.parse,
    smi.parse,
    torch_log.parse,
    tensorflow_log.parse,
)
_STATED: tuple[Parser, ...] = (
    pip_list.parse,
    pip_output.parse,
    conda_list.parse,
    variables.parse,
    install_commands.parse,
    containers.parse,
    issue_template.parse,
    prose.parse,
    file_paths.parse,
)


def read_report(text: str, *, catalogue: Catalogue, matrices: Matrices) -> Snapshot:
    """The machine and environment that a pasted text is about; never raises."""
    plain = normalise(text)
    matches = catalogue.match(plain)
    found = [
        *(parse(plain) for parse in _EXACT),
        read_messages(matches),
        *(parse(plain) for parse in _STATED),
    ]
    facts = merge(item for item in found if item is not None)
    return assemble(facts, matches, matrices)
