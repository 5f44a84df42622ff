"""`fwdoctor rules`: the list of rules."""

from __future__ import annotations

from fwdoctor.cli import options
from fwdoctor.cli.boundary import command


@command
def rules(
    format_name: options.Format = "terminal", output: options.Output = None
) -> None:
    """List every rule with its code, name, cause and severity."""
    from fwdoctor.cli.boundary import emit
    from fwdoctor.rules.pages import rules_json, rules_table
    from fwdoctor.rules.registry import load_rules

    chosen = options.one_of(format_name, ("terminal", "json"), "--format")
    known = load_rules()
    emit(rules_json(known) if chosen == "json" else rules_table(known), output)
