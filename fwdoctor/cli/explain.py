"""`fwdoctor explain`: a rule's page, offline."""

from __future__ import annotations

from typing import Annotated

import typer

from fwdoctor.cli.boundary import command


@command
def explain(
    code: Annotated[str, typer.Argument(help="Code or name: FW111, driver-too-old.")],
) -> None:
    """Explain a rule: what it checks, why it matters, how to fix it."""
    from fwdoctor.cli.boundary import emit
    from fwdoctor.errors import UsageError
    from fwdoctor.rules.pages import page_text
    from fwdoctor.rules.registry import find_rule, load_rules

    known = load_rules()
    rule = find_rule(code, known)
    expected = _find_expectation(code) if rule is None else None
    if expected is not None:
        emit(expected, None)
        return
    if rule is None:
        import difflib

        words = [word for r in known for word in (r.code, r.name)]
        close = difflib.get_close_matches(code, words, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else "see `fwdoctor rules`"
        raise UsageError("unknown-rule", f"no rule is called {code!r}", hint=hint)
    emit(page_text(rule), None)


def _find_expectation(code: str) -> str | None:
    """The page of a code that an expectations file makes."""
    from fwdoctor.expectations.apply import PAGES

    for names, text in PAGES.items():
        if code.strip().lower() in (name.lower() for name in names):
            title = " ".join(names)
            return f"{title}\n{'=' * len(title)}\n\n{text}\n"
    return None
