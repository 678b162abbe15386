"""The first section: the question, the answer in sentences, and the leaderboard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.contract.keys import RANKED
from harness.reporting.figures.charts import p_value
from harness.reporting.material import Material
from harness.reporting.parts import Part, Section, Table, Text
from harness.statistics.bootstrap import LEAST_PATIENTS, MOST_UNDEFINED
from harness.tables.compare.claims import NOTE as CLAIMS_NOTE
from harness.tables.markdown import claims_columns, interval_text, number, spread_axes, spread_text

if TYPE_CHECKING:
    import pandas as pd

DEMONSTRATION = (
    "Budget `{}` is a demonstration: it shows that everything runs. It trains small networks briefly and searches "
    "little. Its table is no result for or against a method."
)
NARROW = (
    "Intervals of values near 0 or 1, or of few patients with the finding, are too narrow. With fewer than "
    f"{LEAST_PATIENTS} patients, or if every resample gives the same value, there is no interval."
)
GAP, UNDEFINED = f"{RANKED}_difference", f"{RANKED}_undefined"
SHOWN_UNDEFINED = 0.01
"""Share of resamples without an AUC above which the report states it."""


def answer_section(material: Material) -> Section:
    """Return the question, the answer in sentences made from the values, and the main table."""
    plan, own = material.plan, material.own
    parts: list[Part] = [Text(DEMONSTRATION.format(plan.budget), "warning")] if plan.demonstration else []
    parts += [Text(f"{material.changed}.", "warning")] if material.changed else []
    parts.append(Text(f"Question: {plan.question}"))
    if own is None:
        parts.append(Text("No variant was confirmed, so there is nothing to compare.", "answer"))
    else:
        parts.append(Text(" ".join(answer(material, own)), "answer"))
        marked = frozenset(place for place, row in enumerate(own.to_dict("records")) if row.get("tied") is True)
        parts.append(Table("Leaderboard", leaderboard(material, own), notes(material, own), marked))
        if material.claims is not None and len(material.claims):
            parts.append(Table("Published claims", claims_columns(material.claims, material.titles), [CLAIMS_NOTE]))
    parts.append(Text(_facts(material)))
    parts += [Text(f"Warning: {warning}", "warning") for warning in plan.warnings]
    tables = {} if material.variants is None else {"variants": material.variants}
    if material.comparison is not None and len(material.comparison):
        tables["comparison"] = material.comparison
    if material.claims is not None and len(material.claims):
        tables["claims"] = material.claims
    return Section("answer", "Question and answer", parts, tables)


def answer(material: Material, own: pd.DataFrame) -> list[str]:
    """Return the result of the leaderboard in sentences; every value is that of the table."""
    rows, baseline = own.to_dict("records"), material.plan.baseline
    best = rows[0]
    if math.isnan(best[RANKED]):
        return ["No variant has an AUC: the test split holds one label only."]
    told = [f"`{best['variant']}` has the highest test AUC, {_bounded(best, RANKED)}."]
    if len(rows) == 1:
        return [*told, "It is the only variant: there is nothing to compare it with."]
    told.append(_ties(rows))
    told += _against(rows, baseline)
    told += _spread(material, rows)
    for metric in material.located:
        table = own[own[metric.key].notna()].sort_values(metric.key, ascending=metric.sign < 0, kind="stable")
        row, word = table.to_dict("records")[0], "highest" if metric.sign > 0 else "lowest"
        told.append(f"`{row['variant']}` has the {word} {metric.title}, {_bounded(row, metric.key)}.")
    if material.plan.demonstration:
        told.append("At this demonstration budget, this says nothing about the methods.")
    return told


def _spread(material: Material, rows: list[dict[Any, Any]]) -> list[str]:
    """Return a warning if the spread over trained models is larger than the differences between variants.

    Only trained variants count: readers and external predictions are not trained again.
    """
    trained = {item.name for item in material.plan.trained}
    own = [row for row in rows if row["variant"] in trained]
    spreads = [row.get(f"{RANKED}_std", math.nan) for row in own]
    known = [value for value in spreads if not math.isnan(value)]
    gaps = [abs(row.get(GAP, math.nan)) for row in own]
    smaller = sum(gap < spread for gap, spread in zip(gaps, spreads, strict=True))
    if not known or not smaller:
        return []
    seeds, folds = len(material.plan.confirm["seeds"]) > 1, int(material.plan.confirm.get("folds") or 1) > 1
    again = "trained again" if seeds and not folds else "trained and tested on other folds"
    again = "trained again, and on other folds," if seeds and folds else f"{again},"
    others = sum(not math.isnan(gap) for gap in gaps)
    return [
        f"All of this holds the trained models fixed: {again} AUCs spread by up to ±{number(max(known))}, "
        f"and for {smaller} of {others} trained variants by more than their difference to the baseline."
    ]


def _ties(rows: list[dict[Any, Any]]) -> str:
    if "tied" not in rows[0]:
        return ""
    unknown = [row for row in rows[1:] if row["tied"] is not True and row["tied"] is not False]
    tied = [f"`{row['variant']}`" for row in rows[1:] if row["tied"] is True]
    count = len(rows) - 1 - len(unknown)
    who = f"other {count}" + (" that can be tested" if unknown else "")
    told = []
    if count and len(tied) == count:
        told.append(f"None of the {who} is separated from it." if count > 1 else f"{tied[0]} is not separated from it.")
    elif count and not tied:
        others = f"all {count} others" if count > 1 else "the other"
        told.append(f"It is separated from the {who}." if unknown else f"It is separated from {others}.")
    elif count:
        verb = "is" if len(tied) == 1 else "are"
        told.append(f"Of the {who}, {len(tied)} {verb} not separated from it: {', '.join(tied)}.")
    for why in dict.fromkeys(row["tied_untested"] for row in unknown):
        names = ", ".join(f"`{row['variant']}`" for row in unknown if row["tied_untested"] == why)
        told.append(f"{names} cannot be tested against it ({why}).")
    return " ".join(told)


def _against(rows: list[dict[Any, Any]], baseline: str) -> list[str]:
    """Return which variants differ from the baseline after adjustment."""
    tested = [row for row in rows if not math.isnan(row.get(f"{RANKED}_p_holm", math.nan))]
    if not tested:
        return []
    found = []
    for word, sign in (("better", 1), ("worse", -1)):
        names = [
            f"`{row['variant']}` ({number(row[GAP], signed=True)})"
            for row in tested
            if row[f"{RANKED}_p_holm"] < 0.05 and sign * row[GAP] > 0
        ]
        if names:
            found.append(f"{word}: {', '.join(names)}")
    if not found:
        untested = any(row.get(f"{RANKED}_untested") for row in rows)
        which = "no AUC that can be tested" if untested else "no AUC"
        return [f"Against the baseline `{baseline}`, {which} differs at the 5 % level after Holm's adjustment."]
    return [f"Against the baseline `{baseline}`, after Holm's adjustment (5 %), {'; '.join(found)}."]


def leaderboard(material: Material, own: pd.DataFrame) -> pd.DataFrame:
    """Return the main table as text: a row per variant (its own output), the highest AUC first."""
    import pandas as pd

    supervised = {item.name for item in material.plan.variants if "train_masks" in item.needs}
    rows, classes = own.to_dict("records"), list(material.classes)

    def name(row: dict[Any, Any]) -> str:
        marks = ["baseline"] * (row["variant"] == material.plan.baseline)
        marks += ["fully supervised"] * (row["variant"] in supervised)
        return str(row["variant"]) + (f" ({', '.join(marks)})" if marks else "")

    text: dict[str, list[str]] = {"variant": [name(row) for row in rows]}
    if "tied" in own:
        text["tied with best"] = [_tie(row) for row in rows]
    text["models"] = [str(row["replicates"]) for row in rows]
    text["AUC"] = [spread_text(row, RANKED) for row in rows]
    text["95 %"] = [interval_text(row, RANKED) for row in rows]
    if len(classes) > 1:
        text |= {f"AUC {label}": [number(row[f"{RANKED}/{label}"]) for row in rows] for label in classes}
    text |= {metric.title: [spread_text(row, metric.key) for row in rows] for metric in material.shown}
    text[f"AUC − {material.plan.baseline}"] = [_difference(row) for row in rows]
    if f"{RANKED}_p_holm" in own:
        text["p, Holm"] = [p_value(row[f"{RANKED}_p_holm"]) for row in rows]
    return pd.DataFrame(text)


def _tie(row: dict[Any, Any]) -> str:
    return "=" if row["tied"] is True else "" if row["tied"] is False else "cannot be tested"


def notes(material: Material, own: pd.DataFrame) -> list[str]:
    """Return notes on the columns of the leaderboard."""
    plan = material.plan
    folds = int(plan.confirm.get("folds") or 1)
    over = spread_axes((seed, fold) for seed in plan.confirm["seeds"] for fold in range(folds))
    spread = f"± is the standard deviation over {over}" if over else "one seed, so there is no ±"
    same = "seeds and folds" if folds > 1 else "seeds"
    figures, paired = f"means over confirmed models; {spread}", f" at the same {same}"
    held = f"trained models held fixed: it does not cover other {same}" + ("; ± does." if over else ".")
    if not plan.trained:
        figures, paired, held = "nothing was trained", "", "external predictions and readers held fixed."
    found = [
        f"Values are of the test split; {figures}.",
        f"[low, high] is a 95 % interval from {material.resamples} resamples of the test patients, with the {held}",
        f"Differences are to `{plan.baseline}`, paired{paired} on the same resampled patients.",
        *_families(material),
        *_undefined(own),
    ]
    if "tied" in own:
        found.append(
            "= marks the group tied with the best: clustered DeLong's test does not separate them from the highest AUC "
            "at 5 % (patients kept together; Tukey's adjustment, because the best was chosen on the same data). "
            "Tied is not equal: there may be too few patients. p is of the difference to the "
            "baseline, by the same test, adjusted by Holm over the variants."
        )
        found += _untested(own, plan.baseline)
    if plan.trained and own["replicates"].nunique() > 1:
        found.append(
            "Variants have different numbers of confirmed models (column models): AUCs are over all models of a "
            f"variant, differences and tests over the {same} that both have."
        )
    found.append("Intervals are not adjusted for the number of variants. " + NARROW)
    if material.comparison is not None and "note" in material.comparison:
        found += [text for text in material.comparison["note"].unique() if text]
    found += [f"{metric.title}: {metric.record.summary}." for metric in material.shown]
    if material.located:
        unknown, lesions = material.unknown_masks
        found.append(
            f"{unknown} of {lesions} lesions (image and class) have no known outline and are left out of the metrics "
            "of maps."
        )
    if supervised := sorted(item.name for item in plan.variants if "train_masks" in item.needs):
        found.append(f"Fully supervised, trained with masks: {', '.join(supervised)}.")
    return found


def _families(material: Material) -> list[str]:
    """Return a note on ± and intervals of variants that are several readers."""
    plan = material.plan
    names = [f"`{item.name}`" for item in plan.variants if item.kind != "trained" and item.facts.get("readers")]
    if not names:
        return []
    text = (
        "the mean over readers of their AUCs (not the AUC of their mean), ± the standard deviation over readers. "
        "Intervals and p-values hold these readers fixed: they apply to other patients with the same readers, not "
        "to other readers."
    )
    return [f"{', '.join(names)}: {text}"]


def _undefined(own: pd.DataFrame) -> list[str]:
    """Return a note on resamples without an AUC, if there are more than a few."""
    if UNDEFINED not in own:
        return []
    wide = own[own[UNDEFINED].between(SHOWN_UNDEFINED, 1, inclusive="neither")]  # 1: too few patients at all
    if wide.empty:
        return []
    named = ", ".join(f"`{row['variant']}` {100 * row[UNDEFINED]:.0f} %" for row in wide.to_dict("records"))
    return [
        f"Resamples without an AUC, because all of their patients have a class or none has: {named}. They are "
        f"left out of the interval. Above {100 * MOST_UNDEFINED:.0f} % there is no interval and no bootstrap p-value."
    ]


def _untested(own: pd.DataFrame, baseline: str) -> list[str]:
    """Return the reasons for missing p-values against the baseline."""
    reasons: dict[str, list[str]] = {}
    for row in own.to_dict("records"):
        if why := row.get(f"{RANKED}_untested"):
            reasons.setdefault(str(why), []).append(f"`{row['variant']}`")
    return [f"No p-value against `{baseline}` for {', '.join(names)}: {why}." for why, names in reasons.items()]


def _facts(material: Material) -> str:
    plan = material.plan
    facts = f"Budget `{plan.budget}`, study `{plan.study_id[:8]}`"
    if not plan.trained:
        return (
            f"{facts}. Nothing was trained: a variant is a table of external predictions, or an average of such tables."
        )
    seeds = ", ".join(str(seed) for seed in plan.confirm["seeds"])
    trials = "trial" if plan.trials == 1 else "trials"
    return (
        f"{facts}, objective `{plan.objective.metric}` ({plan.objective.mode}): {plan.trials} search {trials} per "
        f"variant; the best configuration is retrained and tested once with each of the seeds {seeds}."
    )


def _bounded(row: dict[Any, Any], key: str) -> str:
    bounds = interval_text(row, key)
    return number(row[key]) + ("" if bounds == "–" else f" {bounds}")


def _difference(row: dict[Any, Any]) -> str:
    bounds = interval_text(row, GAP, signed=True)
    value = number(row[GAP], signed=True)
    return value if bounds == "–" else f"{value} {bounds}"
