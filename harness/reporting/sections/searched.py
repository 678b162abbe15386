"""The section on the search: cost, optimism, tuning curves, importance of settings, variance components."""

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
    """Return the cost of the search, its curves, its parameters, and the variance components of its metric."""
    plan, title = material.plan, "The search"
    order = [item.name for item in plan.trained]
    cost = search_table(material.trials, order=order, objective=plan.objective)
    if not len(cost):
        return Section("search", title, [Text("Nothing was trained, so nothing was searched.")], {"search": cost})
    tables = {"search": cost}
    parts: list[Part] = [Table("Cost and optimism", search_columns(cost), [_COST_NOTE])]
    sampler = str(dict(plan.search.get("sampler", {})).get("use", ""))
    curves = tuning_curves(material.trials, order=order, objective=plan.objective, sampler=sampler)
    tables["tuning"] = curves
    parts += _tuning(material, curves, sampler)
    parts += _importance(material, tables)
    parts += _spread(material, tables)
    return Section("search", title, parts, tables)


_COST_NOTE = (
    "Values of the validation split: `searched` is the best value of a complete trial, `confirmed` the mean of the "
    "retrained models. `optimism` is how much better `searched` is than `confirmed`."
)


def _tuning(material: Material, curves: pd.DataFrame, sampler: str) -> list[Part]:
    title = "Best value found against the number of trials"
    if curves.empty or curves["trials"].max() < 2:
        return [Text(f"{title}: no chart, because no variant has two finished trials.")]
    order = [name for name in material.ranked(dict.fromkeys(curves["variant"])) if name in set(curves["variant"])]
    drawn = [name for name in material.drawn if name in order] or order[:6]
    own = curves[curves["variant"].isin(drawn)]
    expected = sampler == "random"
    metric = material.plan.objective.metric
    data = charts.tuning(own, drawn, metric, expected)
    last = own.groupby("variant", sort=False).last()
    column = "expected" if expected else "best"
    values, counts = last[column].to_dict(), last["trials"].to_dict()
    listed = ", ".join(f"{name} {number(values[name])} after {counts[name]}" for name in drawn)
    what = "expected best" if expected else "best so far"
    notes = [
        f"The {what} of {metric} against the number of trials. Pruned and failed trials count, because they used "
        "budget. Compare variants at equal numbers of trials.",
        (
            "The expectation at n trials is over the default and n - 1 others drawn at random from the trials that "
            "were run (Dodge et al. 2019). The band is one standard deviation; near the right end it is slightly low."
            if expected
            else f"The sampler was `{sampler}`, whose trials are no independent draws. The curve shows the search in "
            "the order it ran, without a band."
        ),
    ]
    notes += [material.drawn_note] if material.drawn_note else []
    return [Pictures(title, [Picture("figures/tuning.svg", data, f"The {what} of {metric}: {listed}")], notes)]


def _importance(material: Material, tables: dict[str, pd.DataFrame]) -> list[Part]:
    title, table = "Importance of the searched settings", material.importance
    if table is None or table.empty:
        why = "no variant has four complete trials and two searched settings"
        return [Text(f"{title}: no chart, because {why}.")]
    tables["importance"] = table
    means = table.groupby("parameter")["importance"].mean().sort_values(ascending=False)
    listed = ", ".join(f"{name} {number(value)}" for name, value in means.items())
    fewest, most = int(table["trials"].min()), int(table["trials"].max())
    trials = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    notes = [
        "The share of the variance of the validation metric over the searched ranges that each setting accounts for "
        f"(fANOVA, Hutter et al. 2014), from {trials} complete trials per variant. A dot is a variant, the bar their "
        "mean. The shares of a variant sum to 1, however little the metric varied."
        + (" With so few trials the ranking is unreliable." if most < 20 else ""),
    ]
    picture = Picture("figures/importance.svg", charts.importance(table), f"Importance of searched settings: {listed}")
    return [Pictures(title, [picture], notes)]


def _spread(material: Material, tables: dict[str, pd.DataFrame]) -> list[Part]:
    title = "Variance components of the validation metric"
    try:
        table = variance_table(material.trials, order=[item.name for item in material.plan.trained])
    except ValueError as error:  # a confirmation that failed leaves a hole in the grid
        return [Text(f"{title}: no table, because {error}")]
    if table.empty:
        return [Text(f"{title}: no table, because every axis has a single value.")]
    tables["variance"] = table
    whole = table[(table["of"] == "confirm") & (table["variant"] == "")]
    if whole.empty:
        return [Text(f"{title}: no table, because the confirmations vary along one axis at most; see the CSV table.")]
    notes = [
        "Confirmed models of all variants on the validation split. `configuration` is the variant at its best "
        "setting, `rest` the unexplained part. std is the standard deviation of the axis alone (random effects, "
        "method of moments).",
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
