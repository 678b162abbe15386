"""What the search cost, how optimistic it was, what it would have found with fewer trials, what mattered in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.reporting.figures import charts
from harness.reporting.material import Material
from harness.reporting.parts import Part, Picture, Pictures, Section, Table, Text
from harness.statistics.tuning import tuning_curves
from harness.statistics.variance import variance_table
from harness.tables.markdown import number, search_columns
from harness.tables.measure.costs import search_table

if TYPE_CHECKING:
    import pandas as pd


def search_section(material: Material) -> Section:
    """The search: its cost, its curves, its parameters, and where the spread of its figure comes from."""
    plan, title = material.plan, "The search"
    order = [item.name for item in plan.trained]
    cost = search_table(material.trials, order=order, objective=plan.objective)
    if not len(cost):
        return Section("search", title, [Text("Nothing was trained, so that nothing was searched.")], {"search": cost})
    tables = {"search": cost}
    parts: list[Part] = [Table("What it cost, and how optimistic it was", search_columns(cost), [_COST_NOTE])]
    sampler = str(dict(plan.search.get("sampler", {})).get("use", ""))
    curves = tuning_curves(material.trials, order=order, objective=plan.objective, sampler=sampler)
    tables["tuning"] = curves
    parts += _tuning(material, curves, sampler)
    parts += _importance(material, tables)
    parts += _spread(material, tables)
    return Section("search", title, parts, tables)


_COST_NOTE = (
    "On the validation split: `searched` is the best value of a complete trial, `confirmed` the mean of the retrained "
    "models; `optimism` is by how much the first looked better."
)


def _tuning(material: Material, curves: pd.DataFrame, sampler: str) -> list[Part]:
    title = "What the search had found after how many trials"
    if curves.empty or curves["trials"].max() < 2:
        return [Text(f"{title}: no chart, because no variant has two trials that ended.")]
    order = [name for name in material.ranked(dict.fromkeys(curves["variant"])) if name in set(curves["variant"])]
    drawn = [name for name in material.drawn if name in order] or order[:6]
    own = curves[curves["variant"].isin(drawn)]
    expected = sampler == "random"
    metric = material.plan.objective.metric
    data = charts.tuning(own, drawn, metric, expected)
    last = own.groupby("variant", sort=False).last()
    column = "expected" if expected else "best"
    values, counts = last[column].to_dict(), last["trials"].to_dict()
    told = ", ".join(f"{name} {number(values[name])} after {counts[name]}" for name in drawn)
    what = "expected best" if expected else "best so far"
    notes = [
        f"The {what} of {metric} against the number of trials, stopped and failed ones included, for they took their "
        "place in the budget: variants are to be compared at equal numbers of them.",
        (
            "Expected of the default and that many less one drawn at random from the others that were run (Dodge et "
            "al. 2019), the band is one standard deviation of it; close to the right end it is a little low."
            if expected
            else f"The sampler was `{sampler}`, whose trials are no independent draws: the curve is the search as it "
            "went, "
            "one order of many, without a band."
        ),
    ]
    notes += [material.drawn_note] if material.drawn_note else []
    return [Pictures(title, [Picture("figures/tuning.svg", data, f"The {what} of {metric}: {told}")], notes)]


def _importance(material: Material, tables: dict[str, pd.DataFrame]) -> list[Part]:
    title, table = "Which of the searched settings mattered", material.importance
    if table is None or table.empty:
        why = "it takes a variant with four complete trials and two searched settings, and there is none"
        return [Text(f"{title}: no chart, because {why}.")]
    tables["importance"] = table
    means = table.groupby("parameter")["importance"].mean().sort_values(ascending=False)
    told = ", ".join(f"{name} {number(value)}" for name, value in means.items())
    fewest, most = int(table["trials"].min()), int(table["trials"].max())
    trials = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    notes = [
        "Share of the variance of the validation figure over the searched ranges that each setting accounts for "
        "(fANOVA, Hutter "
        f"et al. 2014), from {trials} complete trials a variant; a dot is a variant, the bar their mean. Shares of a "
        "variant add "
        "up to 1 whether or not the figure varied much."
        + (" So few trials hardly rank anything." if most < 20 else ""),
    ]
    picture = Picture("figures/importance.svg", charts.importance(table), f"Importance of searched settings: {told}")
    return [Pictures(title, [picture], notes)]


def _spread(material: Material, tables: dict[str, pd.DataFrame]) -> list[Part]:
    title = "Where the spread of the validation figure comes from"
    try:
        table = variance_table(material.trials, order=[item.name for item in material.plan.trained])
    except ValueError as error:  # a confirmation that failed leaves a hole in the grid
        return [Text(f"{title}: no table, because {error}")]
    if table.empty:
        return [Text(f"{title}: no table, because there is one figure only along every axis.")]
    tables["variance"] = table
    whole = table[(table["of"] == "confirm") & (table["variant"] == "")]
    if whole.empty:
        return [Text(f"{title}: the confirmations vary along one axis at most; the rest is in the CSV table.")]
    notes = [
        "Confirmed models of all variants on the validation split. `configuration` is the variant at its best "
        "setting, `rest` what "
        "neither explains; std is the standard deviation that belongs to the axis alone (random effects, method of "
        "moments).",
    ]
    return [Table(title, _spread_cells(whole), notes)]


def _spread_cells(whole: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows: list[dict[Any, Any]] = whole.to_dict("records")
    return pd.DataFrame(
        {
            "axis": [str(row["axis"]) for row in rows],
            "levels": [str(row["levels"]) for row in rows],
            "std": [number(row["std"]) for row in rows],
            "share": ["–" if row["share"] != row["share"] else f"{100 * row['share']:.0f} %" for row in rows],
        }
    )
