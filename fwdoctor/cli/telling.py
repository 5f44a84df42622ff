"""Writes a report where it is wanted; the exit code comes in the style asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fwdoctor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwdoctor.errors import ExitCode
    from fwdoctor.model.finding import Report
    from fwdoctor.report.registry import RenderOptions

JOB_SUMMARY = "GITHUB_STEP_SUMMARY"  # the file that a GitHub runner shows as Markdown


def tell(
    report: Report,
    code: ExitCode,
    format_name: str,
    style: str,
    look: RenderOptions,
    output: str | None,
) -> int:
    """Write the report; the exit code is returned.

    A monitor's style writes its one line, unless another format was asked for.
    """
    from fwdoctor.cli.boundary import emit
    from fwdoctor.cli.exit_style import styled_code, styled_line

    number = styled_code(style, report, code)
    if style != "plain" and format_name == "terminal":
        emit(styled_line(style, report, number), output)
        return number
    emit(_text(report, format_name, look), output)
    if format_name == "github" and os.environ.get(JOB_SUMMARY):
        _add_summary(os.environ[JOB_SUMMARY], _text(report, "markdown", look))
    return number


def further_formats(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Format and file of every `--also FORMAT=FILE`."""
    from fwdoctor.cli.options import one_of
    from fwdoctor.report.registry import FORMATS

    pairs = []
    for word in words:
        name, _, path = word.partition("=")
        if not path:
            raise UsageError("bad-option", f"--also: {word!r} is not FORMAT=FILE")
        pairs.append((one_of(name, tuple(FORMATS), "--also"), path))
    return tuple(pairs)


def write_copies(
    report: Report, copies: Iterable[tuple[str, str]], look: RenderOptions
) -> None:
    """Write the report in further formats, plain of colour."""
    from dataclasses import replace

    from fwdoctor.cli.boundary import emit

    plain = replace(look, is_colored=False, is_ascii=False)
    for format_name, path in copies:
        emit(_text(report, format_name, plain), path)


def _text(report: Report, format_name: str, look: RenderOptions) -> str:
    from fwdoctor.cli.imaging import render_image
    from fwdoctor.report.registry import render

    if hasattr(report, "image"):
        return render_image(report, format_name, look)  # type: ignore[arg-type]  # a report on an image
    return render(report, format_name, look)


def _add_summary(path: str, text: str) -> None:
    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(
            "output-unwritable", f"{JOB_SUMMARY}: {path}: {error.strerror or error}"
        ) from error
