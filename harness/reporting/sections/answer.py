"""The first screen: what was asked, what came out in sentences, and the leaderboard."""

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
    "little: do not read its table as saliency for or against a method."
)
NARROW = (
    "Those of figures near 0 or 1, or of few patients with the finding, are too narrow; of fewer than "
    f"{LEAST_PATIENTS} patients, or where every resample gives the same, none is given."
)
GAP, UNDEFINED = f"{RANKED}_difference", f"{RANKED}_undefined"
SHOWN_UNDEFINED = 0.01
"""Share of resamples without an AUC above which the report names it."""


def answer_section(material: Material) -> Section:
    """The question, the answer in sentences that are made from the numbers, and the main table."""
    plan, own = material.plan, material.own
    parts: list[Part] = [Text(DEMONSTRATION.format(plan.budget), "warning")] if plan.demonstration else []
    parts.append(Text(f"Asked: {plan.question}"))
    if own is None:
        parts.append(Text("No variant was confirmed, so there is nothing to compare.", "answer"))
    else:
        parts.append(Text(" ".join(answer(material, own)), "answer"))
        marked = frozenset(place for place, row in enumerate(own.to_dict("records")) if row.get("tied") is True)
        parts.append(Table("Leaderboard", leaderboard(material, own), notes(material, own), marked))
        if material.claims is not None and len(material.claims):
            parts.append(
                Table("What the source states", claims_columns(material.claims, material.titles), [CLAIMS_NOTE])
            )
    parts.append(Text(_facts(material)))
    parts += [Text(f"Warning: {warning}", "warning") for warning in plan.warnings]
    tables = {} if material.variants is None else {"variants": material.variants}
    if material.comparison is not None and len(material.comparison):
        tables["comparison"] = material.comparison
    if material.claims is not None and len(material.claims):
        tables["claims"] = material.claims
    return Section("answer", "Question and answer", parts, tables)


def answer(material: Material, own: pd.DataFrame) -> list[str]:
    """What the leaderboard says, in sentences; every number is the table's."""
    rows, baseline = own.to_dict("records"), material.plan.baseline
    best = rows[0]
    if math.isnan(best[RANKED]):
        return ["No variant has an AUC: the test split holds one label only."]
    told = [f"`{best['variant']}` has the highest test AUC, {_bounded(best, RANKED)}."]
    if len(rows) == 1:
        return [*told, "It is the only variant, so that there is nothing to compare it with."]
    told.append(_ties(rows))
    told += _against(rows, baseline)
    told += _spread(material, rows)
    for metric in material.located:
        table = own[own[metric.key].notna()].sort_values(metric.key, ascending=metric.sign < 0, kind="stable")
        row, word = table.to_dict("records")[0], "highest" if metric.sign > 0 else "lowest"
        told.append(f"The {word} {metric.title} is that of `{row['variant']}`, {_bounded(row, metric.key)}.")
    if material.plan.demonstration:
        told.append("At this demonstration budget that says nothing of the methods.")
    return told


def _spread(material: Material, rows: list[dict[Any, Any]]) -> list[str]:
    """That trained models were held fixed, where their own spread is larger than what separates the variants.

    Of trained variants alone: nothing is trained again of readers and of external predictions.
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
        f"All this holds the trained models as they are: {again} AUCs spread by up to ±{number(max(known))}, "
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
    """Who differs from the baseline after adjustment."""
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
    """The main table as text: a row a variant, its own output, the highest AUC first."""
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
    text["models"] = [str(row["runs"]) for row in rows]
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
    """What the columns of the leaderboard mean."""
    plan = material.plan
    folds = int(plan.confirm.get("folds") or 1)
    over = spread_axes((seed, fold) for seed in plan.confirm["seeds"] for fold in range(folds))
    spread = f"± is the standard deviation over {over}" if over else "of one seed, so that none has a ±"
    same = "seeds and folds" if folds > 1 else "seeds"
    figures, paired = f"means over confirmed models; {spread}", f" at the same {same}"
    held = f"trained models as they are: it does not tell what other {same} would give" + ("; ± does." if over else ".")
    if not plan.trained:
        figures, paired, held = "nothing was trained", "", "systems, and readers, as they are."
    found = [
        f"Figures are of the test split; {figures}.",
        f"[low, high] is a 95 % interval from {material.resamples} resamples of the test patients, with the {held}",
        f"Differences are paired: to `{plan.baseline}`{paired}, on the same resampled patients.",
        *_families(material),
        *_undefined(own),
    ]
    if "tied" in own:
        found.append(
            "= marks the group tied with the best: variants that clustered DeLong's test (patients kept together, "
            "Tukey's adjustment, since the best was chosen on the same data) does not separate from the highest AUC at "
            "5 %. Tied is not equal: it may only mean that there are too few patients. p is of the difference to the "
            "baseline, by the same test, adjusted by Holm over the variants."
        )
        found += _untested(own, plan.baseline)
    if plan.trained and own["runs"].nunique() > 1:
        found.append(
            "Variants have different numbers of confirmed models (column models): AUCs are over all of a variant's, "
            f"differences and tests over the {same} that both have."
        )
    found.append("Intervals are not adjusted for the number of variants. " + NARROW)
    if material.comparison is not None and "note" in material.comparison:
        found += [text for text in material.comparison["note"].unique() if text]
    found += [f"{metric.title}: {metric.record.summary}." for metric in material.shown]
    if material.located:
        unknown, lesions = material.unknown_masks
        found.append(
            f"{unknown} of {lesions} lesions (image and class) have no known outline and do not count for maps."
        )
    if supervised := sorted(item.name for item in plan.variants if "train_masks" in item.needs):
        found.append(f"Fully supervised, trained with masks: {', '.join(supervised)}.")
    return found


def _families(material: Material) -> list[str]:
    """What ± means where a variant is several readers, and what its interval leaves out."""
    plan = material.plan
    names = [f"`{item.name}`" for item in plan.variants if item.kind != "trained" and item.facts.get("readers")]
    if not names:
        return []
    text = (
        "the mean over readers of their AUCs (not the AUC of their mean), ± the standard deviation over readers. "
        "Intervals and p-values hold these readers fixed: they are about other patients with the same readers, not "
        "about other readers."
    )
    return [f"{', '.join(names)}: {text}"]


def _undefined(own: pd.DataFrame) -> list[str]:
    """How many resamples have no figure, where it is more than a few."""
    if UNDEFINED not in own:
        return []
    wide = own[own[UNDEFINED].between(SHOWN_UNDEFINED, 1, inclusive="neither")]  # 1: too few patients at all
    if wide.empty:
        return []
    named = ", ".join(f"`{row['variant']}` {100 * row[UNDEFINED]:.0f} %" for row in wide.to_dict("records"))
    return [
        f"Resamples without an AUC, because they hold no patient with, or none without, a class: {named}. They are "
        f"left out of the interval; above {100 * MOST_UNDEFINED:.0f} % no interval and no bootstrap p-value is given."
    ]


def _untested(own: pd.DataFrame, baseline: str) -> list[str]:
    """Why there is no p-value against the baseline."""
    reasons: dict[str, list[str]] = {}
    for row in own.to_dict("records"):
        if why := row.get(f"{RANKED}_untested"):
            reasons.setdefault(str(why), []).append(f"`{row['variant']}`")
    return [f"No p against `{baseline}` of {', '.join(names)}: {why}." for why, names in reasons.items()]


def _facts(material: Material) -> str:
    plan = material.plan
    facts = f"Budget `{plan.budget}`, study `{plan.study_id[:8]}`"
    if not plan.trained:
        return (
            f"{facts}. Nothing was trained: a variant is a table of predictions made elsewhere, or an average of such."
        )
    seeds = ", ".join(str(seed) for seed in plan.confirm["seeds"])
    trials = "trial" if plan.trials == 1 else "trials"
    return (
        f"{facts}, objective `{plan.objective.metric}` ({plan.objective.mode}): {plan.trials} searched {trials} a "
        f"variant, then its best retrained and tested once with each of the seeds {seeds}."
    )


def _bounded(row: dict[Any, Any], key: str) -> str:
    bounds = interval_text(row, key)
    return number(row[key]) + ("" if bounds == "–" else f" {bounds}")


def _difference(row: dict[Any, Any]) -> str:
    bounds = interval_text(row, GAP, signed=True)
    value = number(row[GAP], signed=True)
    return value if bounds == "–" else f"{value} {bounds}"
