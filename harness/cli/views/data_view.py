"""What a check of a data set looks like in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.audit.verdicts import SHOWN, DataCheck, Finding, Shortcut, worst_shortcuts
from harness.cli.views.tables import VERDICT_COLOURS, figure, plain_table

_LEVELS = {"info": "", "warning": "yellow", "error": "red"}
ROWS = 5
SAME = 0.99  # AUC from which a metadatum may be the label itself


def findings_view(findings: Iterable[Finding]) -> RenderableType:
    """A line a finding, its first rows beneath."""
    lines = []
    for finding in findings:
        mark = f"{finding.verdict}: " if finding.verdict else ""
        lines.append(Text(mark + finding.message, _LEVELS[finding.level]))
        lines += [Text("    " + "  ".join(row)) for row in finding.rows[:ROWS]]
        more = (finding.number or 0) - ROWS
        if finding.rows and more > 0:
            lines.append(Text(f"    … and {more} more (--json lists them)", "dim"))
    return Group(*lines)


def shortcuts_view(shortcuts: Sequence[Shortcut]) -> RenderableType:
    """A row for each class, source and model; beneath, images that were told most surely."""
    table = plain_table("class", "told by", "model", "AUC", "95 %", "images", "verdict")
    for item in shortcuts:
        interval = f"{figure(item.low)} to {figure(item.high)}"
        verdict = Text(item.verdict, VERDICT_COLOURS[item.verdict])
        table.add_row(item.class_name, item.source, item.model, figure(item.auc), interval, str(item.images), verdict)
    worst = worst_shortcuts(shortcuts)
    told = [f"{row.class_name} by {row.source}: {', '.join(row.rows[:SHOWN])}" for row in worst]
    lines = [Text(line, "dim") for line in (["told most surely:", *told] if told else [])]
    named = dict.fromkeys(row.source for row in shortcuts if row.of_metadata and row.auc >= SAME)
    if named:
        names = ", ".join(name.removeprefix("metadata: ") for name in named)
        lines.append(Text(f"{names}: another name of the label? Then leave it out of `metadata`.", "yellow"))
    return Group(table, *lines)


def verdict_line(check: DataCheck) -> Text:
    """The verdict of all, and why."""
    summary = f": {check.summary}" if check.summary else ""
    return Text(f"verdict: {check.verdict}{summary}", VERDICT_COLOURS[check.verdict])
