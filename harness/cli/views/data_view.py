"""The result of a data check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness.audit.verdicts import SHOWN, DataCheck, Finding, Shortcut, worst_shortcuts
from harness.cli.rendering.atoms import Words
from harness.cli.rendering.grid import Grid
from harness.cli.views.numbers import three_digits
from harness.cli.views.plan import VERDICT_COLOURS

_LEVELS = {"info": "", "warning": "yellow", "error": "red"}
ROWS = 5
LESION_PARTS = ("intensity", "spectrum", "sharpness")
"""Parts of `features.PARTS` that a lesion may change by itself, unlike size, border and colour of the image."""
SAME = 0.99  # AUC from which a metadatum may be the label itself


def findings_view(findings: Iterable[Finding]) -> RenderableType:
    """Return a line for each finding, with its first rows below."""
    lines = []
    for finding in findings:
        mark = f"{finding.verdict}: " if finding.verdict else ""
        lines.append(Words(mark + finding.message, _LEVELS[finding.level]))
        lines += [Words("    " + "  ".join(row)) for row in finding.rows[:ROWS]]
        more = (finding.number or 0) - ROWS
        if finding.rows and more > 0:
            lines.append(Words(f"    … and {more} more (--json lists them)", "dim"))
    return Group(*lines)


def shortcuts_view(shortcuts: Sequence[Shortcut]) -> RenderableType:
    """Return a row for each class, source and model; below, the most confidently classified images."""
    titles = ("class", "predicted from", "model", "AUC", "95 %", "images", "verdict")
    table = Grid(*titles, right=["AUC", "95 %", "images"], keys=3, grouped=True)
    for item in shortcuts:
        interval = f"[{three_digits(item.low)}, {three_digits(item.high)}]"
        verdict = Text(item.verdict, VERDICT_COLOURS[item.verdict])
        table.add_row(
            item.class_name, item.source, item.model, three_digits(item.auc), interval, str(item.images), verdict
        )
    worst = worst_shortcuts(shortcuts)
    images = [f"{row.class_name} from {row.source}: {', '.join(row.rows[:SHOWN])}" for row in worst]
    lines = [Words(line, "dim") for line in (["most confidently classified:", *images] if images else [])]
    if any(row.source in LESION_PARTS for row in shortcuts if row.verdict != "clear"):
        message = "The lesion itself may change the intensity of the whole image: compare it outside the outlines."
        lines.append(Words(message, "yellow"))
    named = dict.fromkeys(row.source for row in shortcuts if row.of_metadata and row.auc >= SAME)
    if named:
        names = ", ".join(name.removeprefix("metadata: ") for name in named)
        lines.append(Words(f"{names}: possibly the label itself; if so, remove it from `metadata`.", "yellow"))
    return Group(table, *lines)


def verdict_line(check: DataCheck) -> Words:
    """Return the overall verdict and the reason."""
    summary = f": {check.summary}" if check.summary else ""
    return Words(f"verdict: {check.verdict}{summary}", VERDICT_COLOURS[check.verdict])
