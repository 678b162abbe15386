"""The first screen: what was asked, what came out in sentences, and the leaderboard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.evidence.claims import NOTE as CLAIMS_NOTE
from harness.evidence.markdown import claims_columns, interval_text, number, spread_text
from harness.evidence.report.charts import p_value
from harness.evidence.report.material import Material
from harness.evidence.report.parts import Part, Section, Table, Text
from harness.evidence.variance import spread_axes

if TYPE_CHECKING:
    import pandas as pd

DEMONSTRATION = (
    "Budget `{}` is a demonstration: it shows that everything runs. It trains small networks briefly and searches "
    "little: do not read its table as evidence for or against a method."
)
DICE_NOTE = "Dice is soft Dice of the model's own map, without a threshold, over test images that have the lesion."


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
            parts.append(Table("What the source states", claims_columns(material.claims), [CLAIMS_NOTE]))
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
    if math.isnan(best["auroc"]):
        return ["No variant has an AUC: the test split holds one label only."]
    told = [f"`{best['variant']}` has the highest test AUC, {_bounded(best, 'auroc')}."]
    if len(rows) == 1:
        return [*told, "It is the only variant, so that there is nothing to compare it with."]
    told.append(_ties(rows))
    told += _against(rows, baseline)
    told += _seeds(rows)
    if material.has_dice:
        table = own[own["dice"].notna()].sort_values("dice", ascending=False, kind="stable")
        row = table.to_dict("records")[0]
        told.append(f"The highest Dice is that of `{row['variant']}`, {_bounded(row, 'dice')}.")
    if material.plan.demonstration:
        told.append("At this demonstration budget that says nothing of the methods.")
    return told


def _seeds(rows: list[dict[Any, Any]]) -> list[str]:
    """That trained models were held fixed, where their own spread is larger than what separates the variants."""
    spreads = [row.get("auroc_std", math.nan) for row in rows]
    known = [value for value in spreads if not math.isnan(value)]
    gaps = [abs(row.get("auroc_difference", math.nan)) for row in rows]
    smaller = sum(gap < spread for gap, spread in zip(gaps, spreads, strict=True))
    if not known or not smaller:
        return []
    return [
        f"All this holds the trained models as they are: trained again, AUCs spread by up to ±{number(max(known))}, "
        f"and for {smaller} of {len(rows) - 1} variants by more than their difference to the baseline."
    ]


def _ties(rows: list[dict[Any, Any]]) -> str:
    if "tied" not in rows[0]:
        return ""
    tied = [f"`{row['variant']}`" for row in rows[1:] if row["tied"] is True]
    if len(tied) == len(rows) - 1:
        return f"None of the other {len(tied)} is separated from it."
    if not tied:
        return f"It is separated from all {len(rows) - 1} others."
    verb = "is" if len(tied) == 1 else "are"
    return f"Of the other {len(rows) - 1}, {len(tied)} {verb} not separated from it: {', '.join(tied)}."


def _against(rows: list[dict[Any, Any]], baseline: str) -> list[str]:
    """Who differs from the baseline after adjustment."""
    tested = [row for row in rows if not math.isnan(row.get("auroc_p_holm", math.nan))]
    if not tested:
        return []
    found = []
    for word, sign in (("better", 1), ("worse", -1)):
        names = [
            f"`{row['variant']}` ({number(row['auroc_difference'], signed=True)})"
            for row in tested
            if row["auroc_p_holm"] < 0.05 and sign * row["auroc_difference"] > 0
        ]
        if names:
            found.append(f"{word}: {', '.join(names)}")
    if not found:
        return [f"Against the baseline `{baseline}`, no AUC differs at the 5 % level after Holm's adjustment."]
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
        text["tied with best"] = ["=" if row["tied"] is True else "" for row in rows]
    text["models"] = [str(row["runs"]) for row in rows]
    text["AUC"] = [spread_text(row, "auroc") for row in rows]
    text["95 %"] = [interval_text(row, "auroc") for row in rows]
    if len(classes) > 1:
        text |= {f"AUC {label}": [number(row[f"auroc/{label}"]) for row in rows] for label in classes}
    if material.has_dice:
        text["Dice"] = [spread_text(row, "dice") for row in rows]
    text[f"AUC − {material.plan.baseline}"] = [_difference(row) for row in rows]
    if "auroc_p_holm" in own:
        text["p, Holm"] = [p_value(row["auroc_p_holm"]) for row in rows]
    return pd.DataFrame(text)


def notes(material: Material, own: pd.DataFrame) -> list[str]:
    """What the columns of the leaderboard mean."""
    plan = material.plan
    folds = int(plan.confirm.get("folds") or 1)
    over = spread_axes((seed, fold) for seed in plan.confirm["seeds"] for fold in range(folds))
    spread = f"± is the standard deviation over {over}" if over else "of one seed, so that none has a ±"
    spread = spread if plan.trained else "nothing was trained"
    same = "seeds and folds" if folds > 1 else "seeds"
    found = [
        f"Figures are of the test split, means over confirmed models; {spread}.",
        f"[low, high] is a 95 % interval from {material.resamples} resamples of the test patients, with the trained "
        f"models as they are: it does not tell what other {same} would give" + ("; ± does." if over else "."),
        f"Differences are paired: to `{plan.baseline}` at the same {same}, on the same resampled patients.",
        *_families(material),
    ]
    if "tied" in own:
        found.append(
            "= marks the group tied with the best: variants that clustered DeLong's test (patients kept together, "
            "adjusted by Holm over the variants) does not separate from the highest AUC at 5 %. Tied is not equal: it "
            "may only mean that there are too few patients. p is of the difference to the baseline, by the same test."
        )
    found.append("Intervals are not adjusted for the number of variants.")
    if material.comparison is not None and "note" in material.comparison:
        found += [text for text in material.comparison["note"].unique() if text]
    if material.has_dice:
        unknown, lesions = material.unknown_masks
        found.append(DICE_NOTE)
        found.append(f"{unknown} of {lesions} lesions (image and class) have no known outline and are left out of it.")
    if supervised := sorted(item.name for item in plan.variants if "train_masks" in item.needs):
        found.append(f"Fully supervised, trained with masks: {', '.join(supervised)}.")
    return found


def _families(material: Material) -> list[str]:
    """What ± means where a variant is several readers."""
    plan = material.plan
    names = [f"`{item.name}`" for item in plan.variants if item.kind != "trained" and item.facts.get("readers")]
    if not names:
        return []
    text = "the mean over readers of their AUCs (not the AUC of their mean), ± the standard deviation over readers."
    return [f"{', '.join(names)}: {text}"]


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
    bounds = interval_text(row, "auroc_difference", signed=True)
    value = number(row["auroc_difference"], signed=True)
    return value if bounds == "–" else f"{value} {bounds}"
