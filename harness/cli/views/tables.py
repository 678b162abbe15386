"""The tables a user sees, as rich renderables; readable at 100 and at 60 columns. Nothing here reads a file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.audit.verdicts import NOT_CHECKED
from harness.contract.catalog import Broken, Provider
from harness.contract.components import Component, Use, describe, parameters
from harness.contract.tables import OWN_HEAD
from harness.contract.types import Plan, VariantPlan
from harness.study.journal.progress import repeats
from harness.study.plan.command_lines import check_command
from harness.study.plan.differences import differs_by
from harness.tables.markdown import claimed, spread_axes

VERDICT_COLOURS = {
    "clear": "green",
    "unsure": "yellow",
    "shortcut": "red",
    "contradiction": "red",
    "leak": "red",
    "unfit": "red",
}


def plain_table(*columns: str, title: str = "", right: Iterable[str] = ()) -> Table:
    """An empty table in the house's look; columns in `right` are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, padding=(0, 1))
    table.collapse_padding = True
    numbers = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def plan_view(plan: Plan) -> RenderableType:
    """What would run: variants with what they change, trials, epochs; what is skipped; what to beware of."""
    table = plain_table("variant", "differs by")
    common = set.intersection(*(set(variant.searched) for variant in plan.trained)) if plan.trained else set()
    for variant in plan.variants:
        mark = ", the baseline" if variant.name == plan.baseline else ""
        mark += ", fully supervised" if fully_supervised(variant) else ""
        table.add_row(variant.name + mark, "\n".join(differs_by(plan, variant)))
    parts: list[RenderableType] = [Text(f"{plan.study}, budget {plan.budget}", "bold")]
    parts += [Text(line) for line in (plan.question,) if line]
    if common:
        parts.append(Text("searched in every variant: " + ", ".join(sorted(common))))
    parts += [table, Text(_cost(plan))]
    parts += [Text(f"skipped: {skip.variant}: {skip.reason}", "yellow") for skip in plan.skipped]
    parts += [Text(f"warning: {warning}", "yellow") for warning in plan.warnings]
    parts += _data_checks(plan)
    return Group(*parts)


def fully_supervised(variant: VariantPlan) -> bool:
    """Whether the variant's training reads masks: it says so in its `needs`, and no other is handed any."""
    return "train_masks" in variant.needs


def trials_of(plan: Plan, variant: VariantPlan) -> tuple[int, int]:
    """How many trials are searched, and how many confirmed, a floor on shuffled labels too.

    Nothing to search is one trial, nothing to train none.
    """
    searched = plan.trials if variant.searched else 1
    floors = int(variant.name == plan.baseline and bool(plan.confirm.get("label_floor")))
    return (searched if variant.kind == "trained" else 0), len(repeats(plan, variant)) + floors


def epochs_of(variant: VariantPlan) -> int:
    """Epochs of one trial at full length; the most where they are searched, none where nothing is trained."""
    if variant.kind != "trained":
        return 0
    epochs = variant.tree["train"]["epochs"]
    if isinstance(epochs, Mapping):
        options = next(epochs[key] for key in ("int", "choice") if key in epochs)
        return int(max(options))
    return int(epochs)


def plugin_table(items: Sequence[tuple[str, Component[Any], Provider]]) -> Table:
    """Every component: kind, name, parameters, where it is from."""
    table = plain_table("kind", "name", "what it is", "parameters", "from")
    last = ""
    for kind, component, provider in items:
        names = ", ".join(parameters(component.build))
        table.add_row(kind if kind != last else "", component.name, component.summary, names, provider.plugin)
        last = kind
    return table


def parameter_rows(component: Component[Any]) -> list[dict[str, Any]]:
    """A component's parameters for `--json`: name, type as a user would say it, and the default where there is one."""
    rows = []
    for parameter in parameters(component.build).values():
        row = {"name": parameter.name, "type": describe(parameter.annotation), "required": parameter.required}
        rows.append(row if parameter.required else row | {"default": _written(parameter.default)})
    return rows


def _written(default: Any) -> Any:
    """A default as a study would write it."""
    if isinstance(default, Use):
        return {"use": default.name, **{key: _written(value) for key, value in default.params.items()}}
    return default


def notes_view(items: Sequence[tuple[str, Component[Any], Provider]]) -> Group:
    """Of each component its source, and what that does not say and was chosen here."""
    lines = []
    for _, component, _ in items:
        if component.source:
            lines.append(Text(f"{component.name}: {component.source}"))
        lines += [Text(f"{component.name}, assumed: {key}: {why}") for key, why in component.assumed.items()]
    return Group(*lines)


def broken_table(broken: Sequence[Broken]) -> Table:
    """What could not be loaded, and why."""
    table = plain_table("left out", "distribution", "reason")
    for item in broken:
        origin = f"{item.provider.distribution} {item.provider.version}"
        table.add_row(Text(item.provider.plugin, "yellow"), origin, Text(item.reason))
    return table


def _data_checks(plan: Plan) -> list[Text]:
    """A line a data set: its verdict, or how to get one."""
    lines = []
    for digest, check in plan.data_checks.items():
        name = f"data {digest[:8]}" if len(plan.data_checks) > 1 else "data"
        verdict, summary = check["verdict"], check["summary"]
        if verdict == NOT_CHECKED:
            summary = f"`{check_command(plan)}` does it"
        text = f"{name}: {verdict}" + (f": {summary}" if summary else "")
        lines.append(Text(text, VERDICT_COLOURS.get(verdict, "yellow")))
    return lines


def _cost(plan: Plan) -> str:
    if not plan.trained:
        variants = _number(len(plan.variants), "variant")
        return f"{variants}, none of them trained: tables are read.\nresults: {plan.directory}"
    counts = [(*trials_of(plan, variant), epochs_of(variant)) for variant in plan.trained]
    searched, confirmed = sum(count[0] for count in counts), sum(count[1] for count in counts)
    epochs = sum((search + confirm) * epochs for search, confirm, epochs in counts)
    seeds = ", ".join(str(seed) for seed in plan.confirm["seeds"])
    folds = int(plan.confirm.get("folds") or 0)
    each = f"seeds {seeds}, folds 0 to {folds - 1} each" if folds else f"seeds {seeds}"
    each += "; one of them on shuffled labels" if plan.confirm.get("label_floor") else ""
    others = len(plan.variants) - len(plan.trained)
    read = f" {others} more are read or averaged." if others else ""
    return (
        f"{_number(len(plan.trained), 'variant')}: {_number(searched, 'trial')} to search, "
        f"then {confirmed} to confirm ({each}); at most {epochs} epochs.{_proposed(plan)}{read}"
        f"\nresults: {plan.directory}"
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _proposed(plan: Plan) -> str:
    """How many trials of a search learn from those before; "" where the search is none that could."""
    if plan.search["sampler"]["use"] != "tpe" or not any(variant.searched for variant in plan.trained):
        return ""
    from harness.study.plan.advice import model_based

    return f" Of each search, {model_based(plan.search)} of {_number(plan.trials, 'trial')} model-based."


def results_view(
    plan: Plan,
    rows: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    missing: Mapping[str, str],
    width: int,
) -> RenderableType:
    """The table of a study: a row a variant and, where `rows` hold them, its heads beneath.

    Args:
        plan: names variants, baseline and seeds.
        rows: of `variant_table`; in study order.
        classes: the classes' names.
        missing: variant -> why it has no row, or why its row stands on fewer runs.
        width: of the terminal; below 80 an interval stands under its figure.
    """
    dice = any(known(row.get("dice")) for row in rows)
    labels = [] if len(classes) == 1 else list(classes)
    numbers = ["AUC", *labels, *(["Dice"] if dice else []), f"against {plan.baseline}"]
    table = plain_table("variant", *numbers, right=numbers)
    gap = " " if width >= 80 else "\n"
    for variant in plan.variants:
        own_rows = [row for row in rows if row["variant"] == variant.name]
        for row in own_rows:
            own = row["head"] == OWN_HEAD
            cells = [figure(row["auroc"]) + (f"{gap}±{short(row['auroc_std'])}" if known(row["auroc_std"]) else "")]
            cells += [figure(row[f"auroc/{label}"]) for label in labels]
            cells += [figure(row["dice"])] if dice else []
            cells.append(difference(row, own and variant.name == plan.baseline, gap))
            name = f"{variant.name} †" if fully_supervised(variant) else variant.name
            table.add_row(name if own else f"  {row['head']}", *cells, style="" if own else "dim")
        if not own_rows:
            table.add_row(variant.name, *["-" for _ in numbers])
    head = "A demonstration: small images, few trials; not a result.\n" if plan.demonstration else ""
    notes = f"Test AUC: {_over(plan)}; "
    notes += "Dice: of the model's own evidence with the outlines; " if dice else ""
    same = "seeds and folds" if plan.confirm.get("folds") else "seeds"
    paired = f" at the same {same}" if plan.trained else ""
    notes += f"against {plan.baseline}: difference of AUC{paired}, with its 95 % interval over patients."
    if any(known(row.get("auroc_difference")) and not known(row.get("auroc_difference_low")) for row in rows):
        notes += " Without one: too few patients of a class to tell, or the same in every resample."
    parts: list[RenderableType] = [Text(f"{head}{plan.study}, budget {plan.budget}", "bold"), table, Text(notes, "dim")]
    if any(map(fully_supervised, plan.variants)):
        parts.append(Text("† fully supervised: trained with masks, where the others have image labels only.", "dim"))
    parts += [Text(f"{variant}: {reason}", "yellow") for variant, reason in missing.items()]
    parts += [Text(f"skipped: {skip.variant}: {skip.reason}", "yellow") for skip in plan.skipped]
    return Group(*parts)


def claims_view(rows: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """What the source states, each with the difference that speaks to it and whether it agrees.

    Args:
        rows: of `claims_table`.
        width: of the terminal; below 80 an interval stands under its figure.
    """
    table = plain_table("the source states", "difference", "here", right=["difference"])
    for row in rows:
        of = f"{row['better']} against {row['than']}, {claimed(row)}"
        bounds = {f"auroc_{key}": row[key] for key in ("difference", "difference_low", "difference_high")}
        stated = Text.assemble(row["says"], "\n", (of, "dim"))
        table.add_row(stated, difference(bounds, False, " " if width >= 80 else "\n"), row["verdict"])
    return table


def _over(plan: Plan) -> str:
    """What a mean, and a ±, are over."""
    over = spread_axes(itertools.product(plan.confirm["seeds"], range(int(plan.confirm.get("folds") or 1))))
    parts = list[str]()
    if plan.trained:
        parts.append(f"mean over {over} ± their standard deviation" if over else "of one seed")
    if families := [variant for variant in plan.variants if variant.facts.get("readers") and variant.kind != "trained"]:
        names = ", ".join(variant.name for variant in families)
        parts.append(f"of {names} mean over {len(families[0].facts['readers'])} readers ± their standard deviation")
    return "; ".join(parts) or "of each table as it is"


def known(value: Any) -> bool:
    """Whether there is such a figure."""
    return value is not None and not math.isnan(value)


def figure(value: Any) -> str:
    """A figure between 0 and 1 with three digits; a dash where there is none."""
    return f"{value:.3f}" if known(value) else "-"


def short(value: float) -> str:
    """A spread, without the leading zero."""
    return f"{value:.3f}".removeprefix("0")


def difference(row: Mapping[str, Any], is_baseline: bool, gap: str) -> str:
    """A paired difference with its interval; nothing for the baseline, a dash where there is none."""
    if is_baseline or not known(row.get("auroc_difference")):
        return "" if is_baseline else "-"
    low, high = row["auroc_difference_low"], row["auroc_difference_high"]
    between = "[{}, {}]" if gap == " " else "{}..{}"
    interval = gap + between.format(_signed(low), _signed(high)) if known(low) and known(high) else ""
    return _signed(row["auroc_difference"]) + interval


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)
