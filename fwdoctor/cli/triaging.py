"""What `triage` does with each input: read, decode, judge, choose the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwdoctor.cli.checking import CheckRequest, exit_code
from fwdoctor.cli.input_file import input_name, read_input
from fwdoctor.errors import ExitCode, UsageError
from fwdoctor.intake.catalogue import load_catalogue
from fwdoctor.intake.normalise import decode
from fwdoctor.intake.reading import read_report
from fwdoctor.judge import judge, with_input
from fwdoctor.matrices.load import Matrices
from fwdoctor.rules.registry import load_rules

if TYPE_CHECKING:
    from fwdoctor.model.finding import Report

LIMIT_BYTES = 20_000_000


class Triage:
    """Judges texts one after the other with the same matrices and catalogue."""

    def __init__(self) -> None:
        self._matrices = Matrices()
        self._catalogue = load_catalogue(self._matrices.folder / "messages")
        self._rules = load_rules()

    def judge_file(self, name: str, *, fail_on: str) -> tuple[Report, ExitCode]:
        """The report on one file, or on standard input for "-".

        Raises UsageError when it cannot be read or holds no text.
        """
        report = self.judge_text(decode(_read(name)), name=name)
        code = exit_code(report, CheckRequest(fail_on=fail_on))
        if code is ExitCode.OK and report.verdict == "not-enough-facts":
            code = ExitCode.NOT_ENOUGH_FACTS
        return report, code

    def judge_text(self, text: str, *, name: str) -> Report:
        """The report on a text."""
        snapshot = read_report(text, catalogue=self._catalogue, matrices=self._matrices)
        report = judge(
            snapshot, self._matrices, catalogue=self._catalogue, loaded=self._rules
        )
        return with_input(report, name)


def _read(name: str) -> bytes:
    try:
        content = read_input(name, LIMIT_BYTES)
    except OSError as error:
        raise UsageError(
            "input-unreadable", f"{input_name(name)}: {error.strerror or error}"
        ) from error
    if len(content) > LIMIT_BYTES:
        raise UsageError("input-too-large", f"{input_name(name)}: larger than 20 MB")
    return content
