"""The leaderboard of a study and the published claims about it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from harness.cli.rendering.atoms import Words
from harness.cli.rendering.grid import Grid
from harness.cli.views.numbers import GAP, STD, difference, known, short, three_digits
from harness.cli.views.variants import fully_supervised
from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.contract.types import Plan
from harness.tables.markdown import claimed, spread_axes


def results_view(
    plan: Plan,
    rows: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    missing: Mapping[str, str],
    titles: Mapping[str, str],
    counts: Mapping[tuple[str, str], int] | None = None,
) -> RenderableType:
    """Return the leaderboard of a study: a row for each variant and, if `rows` hold them, one for each head below it.

    Args:
        plan: names variants, baseline and seeds.
        rows: of `variant_table`, in study order.
        classes: the classes' names.
        missing: variant -> why it has no row, or fewer replicates than planned; variant and map -> why it has none.
        titles: key -> head of the column of each metric, what variants are ranked by first.
        counts: (variant, key) -> number of outlines (image and class) or lesions that a metric of maps is the mean of.
    """
    counts = counts or {}
    others = [key for key in titles if key != RANKED and any(known(row.get(key)) for row in rows)]
    labels = [] if len(classes) == 1 else list(classes)
    heads = [titles[key] + _counted({n for (_, of), n in counts.items() if of == key}) for key in others]
    numbers = ["AUC", *labels, *heads, f"against {plan.baseline}"]
    table = Grid("variant", *numbers, right=numbers)
    for variant in plan.variants:
        own_rows = [row for row in rows if row["variant"] == variant.name]
        for row in own_rows:
            own = row["head"] == OWN_HEAD
            cells = [three_digits(row[RANKED]) + (f" ±{short(row[STD])}" if known(row[STD]) else "")]
            cells += [three_digits(row[f"{RANKED}/{label}"]) for label in labels]
            cells += [three_digits(row.get(key)) + _own_count(counts, variant.name, key, own) for key in others]
            cells.append(difference(row, own and variant.name == plan.baseline))
            name = f"{variant.name} †" if fully_supervised(variant) else variant.name
            if own:
                table.add_row(name, *cells)
            else:
                table.add_row(f"  {row['head']}", *cells, style="dim", label=f"{variant.name} {row['head']}")
        if not own_rows:
            table.add_row(variant.name, *["-" for _ in numbers])
    head = "A demonstration: small images, few trials; not a result.\n" if plan.demonstration else ""
    notes = f"Test AUC: {_over(plan)}; "
    same = "seeds and folds" if plan.confirm.get("folds") else "seeds"
    paired = f" at the same {same}" if plan.trained else ""
    notes += f"against {plan.baseline}: difference of AUC{paired}, with its 95 % interval over patients."
    if any(known(row.get(GAP)) and not known(row.get(f"{GAP}_low")) for row in rows):
        notes += " No interval: too few patients of a class, or the same value in every resample."
    parts: list[RenderableType] = [Words(f"{head}{plan.study}, budget {plan.budget}", "bold")]
    parts += [table, Words(notes, "dim")]
    if any(map(fully_supervised, plan.variants)):
        parts.append(Words("† fully supervised: trained with masks; the others have image labels only.", "dim"))
    parts += [Words(f"{variant}: {reason}", "yellow") for variant, reason in missing.items()]
    parts += [Words(f"skipped: {skip.variant}: {skip.reason}", "yellow") for skip in plan.skipped]
    return Group(*parts)


def _counted(found: set[int]) -> str:
    """Return the number of outlines for the head of a column; "" if it differs between rows, or there is none."""
    return f", n = {next(iter(found))}" if len(found) == 1 else ""


def _own_count(counts: Mapping[tuple[str, str], int], variant: str, key: str, own: bool) -> str:
    """Return the number of outlines of one value, where it differs between variants."""
    differs = len({n for (_, of), n in counts.items() if of == key}) > 1
    return f" (n = {counts[variant, key]})" if own and differs and (variant, key) in counts else ""


def claims_view(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> RenderableType:
    """Return the published claims, each with the difference that tests it and its verdict."""
    table = Grid("published claim", "difference", "verdict", right=["difference"])
    for row in rows:
        of = f"{row['better']} against {row['than']}, {claimed(row, titles)}"
        bounds = {f"{RANKED}_{key}": row[key] for key in ("difference", "difference_low", "difference_high")}
        stated = Text.assemble(row["says"], "\n", (of, "dim"))
        table.add_row(stated, difference(bounds, False), row["verdict"])
    return table


def _over(plan: Plan) -> str:
    """Return what a mean and its ± are taken over."""
    over = spread_axes(itertools.product(plan.confirm["seeds"], range(int(plan.confirm.get("folds") or 1))))
    parts = list[str]()
    if plan.trained:
        parts.append(f"mean over {over} ± their standard deviation" if over else "of one seed")
    if families := [variant for variant in plan.variants if variant.facts.get("readers") and variant.kind != "trained"]:
        names = ", ".join(variant.name for variant in families)
        parts.append(f"of {names} mean over {len(families[0].facts['readers'])} readers ± their standard deviation")
    return "; ".join(parts) or "of each table as it is"
