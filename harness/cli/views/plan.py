"""A plan: variants with what they change, cost, skipped variants, warnings and the check of the data."""

from __future__ import annotations

from rich.console import Group, RenderableType

from harness.audit.verdicts import NOT_CHECKED
from harness.cli.rendering.atoms import Words
from harness.cli.rendering.grid import Grid
from harness.cli.views.variants import epochs_of, fully_supervised, trials_of
from harness.config.space import distributions, size
from harness.contract.types import Plan
from harness.study.plan.command_lines import check_command
from harness.study.plan.differences import differs_by

VERDICT_COLOURS = {
    "clear": "green",
    "unsure": "yellow",
    "shortcut": "red",
    "contradiction": "red",
    "leak": "red",
    "unfit": "red",
}


def plan_view(plan: Plan) -> RenderableType:
    """Return what would run: variants with what they change, trials, epochs, skipped variants and warnings."""
    table = Grid("variant", "differs by")
    for variant in plan.variants:
        mark = ", the baseline" if variant.name == plan.baseline else ""
        mark += ", fully supervised" if fully_supervised(variant) else ""
        table.add_row(variant.name + mark, "\n".join(differs_by(plan, variant)))
    parts: list[RenderableType] = [Words(f"{plan.study}, budget {plan.budget}", "bold")]
    parts += [Words(line) for line in (plan.question,) if line]
    parts += [Words(line) for line in _searched(plan)]
    parts += [table, Words(_cost(plan))]
    parts += [Words(f"skipped: {skip.variant}: {skip.reason}", "yellow") for skip in plan.skipped]
    parts += [Words(f"warning: {warning}", "yellow") for warning in plan.warnings]
    parts += _data_checks(plan)
    return Group(*parts)


def _searched(plan: Plan) -> list[str]:
    """Return a line for each searched range, in values, and one for the variants with finitely many points."""
    ranges: dict[tuple[str, str], list[str]] = {}
    for variant in plan.trained:
        for path, found in dict(distributions(variant.tree)).items():
            ranges.setdefault((path, str(found)), []).append(variant.name)
    everywhere = [f"{path}: {text}" for (path, text), own in ranges.items() if len(own) == len(plan.trained)]
    lines = ["searched in every variant: " + "; ".join(everywhere)] if everywhere else []
    for (path, text), own in ranges.items():
        if len(own) < len(plan.trained):
            lines.append(f"searched in {', '.join(own)}: {path}: {text}")
    points = {v.name: size(v.tree) for v in plan.trained if v.searched}
    counts = [f"{name} {count}" for name, count in points.items() if count is not None]
    return [*lines, *(["points of the search space: " + ", ".join(counts)] if counts else [])]


def _data_checks(plan: Plan) -> list[Words]:
    """Return a line for each data set: its verdict, or the command that checks it."""
    lines = []
    for digest, check in plan.data_checks.items():
        name = f"data {digest[:8]}" if len(plan.data_checks) > 1 else "data"
        verdict, summary = check["verdict"], check["summary"]
        if verdict == NOT_CHECKED:
            summary = f"use `{check_command(plan)}`"
        text = f"{name}: {verdict}" + (f": {summary}" if summary else "")
        lines.append(Words(text, VERDICT_COLOURS.get(verdict, "yellow")))
    return lines


def _cost(plan: Plan) -> str:
    if not plan.trained:
        variants = _number(len(plan.variants), "variant")
        return f"{variants}, none of them trained: tables are read.\nresults: {plan.directory}"
    counts = [(*trials_of(plan, variant), epochs_of(variant)) for variant in plan.trained]
    searched, confirmed = sum(count[0] for count in counts), sum(count[1] for count in counts)
    epochs = sum((search + confirm) * epochs for search, confirm, epochs in counts)
    others = len(plan.variants) - len(plan.trained)
    read = f" {others} more are read or averaged." if others else ""
    return (
        f"{_number(len(plan.trained), 'variant')}: {_number(searched, 'trial')} to search, "
        f"then {confirmed} to confirm ({_each(plan)}); at most {epochs} epochs.{_model_based(plan)}{read}"
        f"\nresults: {plan.directory}"
    )


def _each(plan: Plan) -> str:
    """Return the seeds and folds of a confirmation."""
    seeds = ", ".join(str(seed) for seed in plan.confirm["seeds"])
    folds = int(plan.confirm.get("folds") or 0)
    each = f"seeds {seeds}, folds 0 to {folds - 1} each" if folds else f"seeds {seeds}"
    return each + ("; one of them on shuffled labels" if plan.confirm.get("label_control") else "")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _model_based(plan: Plan) -> str:
    """Return how many trials of a search learn from earlier ones, or "" if none can."""
    if plan.search["sampler"]["use"] != "tpe" or not any(variant.searched for variant in plan.trained):
        return ""
    from harness.study.plan.advice import model_based

    return f" Of each search, {model_based(plan.search)} of {_number(plan.trials, 'trial')} model-based."
