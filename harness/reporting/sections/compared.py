"""Sections that compare variants: differences, metrics against one setting, curves, calibration, Dice against AUC."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.files import plain_name
from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.metrics.scores.roc import SUSPICIOUS, operating_point
from harness.reporting.figures import charts
from harness.reporting.material import DRAWN, Material
from harness.reporting.parts import Lines, Part, Picture, Pictures, Section, Table, Text
from harness.reporting.sections.answer import NARROW
from harness.statistics.arrays import Array, mean_defined
from harness.tables.markdown import (
    bounds_text,
    each_columns,
    head_columns,
    main_columns,
    mean_text,
    number,
    pivoted,
    records,
)
from harness.tables.measure.classification_table import OF_SCORES
from harness.tables.measure.mean_curves import mean_precision, mean_roc
from harness.tables.rows import by_model

if TYPE_CHECKING:
    import pandas as pd

_CONFIRMED = "Nothing was confirmed."


def differences_section(material: Material) -> Section:
    """Return the forest plot of paired differences, and the baseline against each reader and variant."""
    own, plan = material.own, material.plan
    parts: list[Part] = []
    if own is None or not own[f"{RANKED}_difference"].notna().any():
        why = _CONFIRMED if own is None else f"Only one variant was confirmed, or `{plan.baseline}` was not."
        parts.append(Text(f"{why} There is no difference to show."))
    else:
        parts.append(Pictures("", _forests(material, own), _forest_notes(material)))
    tables = {}
    if material.each is not None and len(material.each):
        tables["each"] = material.each
        note = (
            "Areas and differences with 95 % intervals by clustered DeLong (groups kept together). p-values are "
            "two-sided, adjusted by Holm over the rows of this table. Differences are the baseline minus the row."
        )
        title = f"`{plan.baseline}` against each reader and each variant"
        parts.append(Table(title, each_columns(material.each), [note]))
    return Section("differences", "Paired differences", parts, tables)


def _forests(material: Material, own: pd.DataFrame) -> list[Picture]:
    baseline, pictures = material.plan.baseline, []
    for metric, title in material.metrics.titles.items():
        column, p_values = f"{metric}_difference", f"{metric}_p_holm"
        if column not in own or not own[column].notna().any():
            continue
        label = f"test {title} minus {baseline}'s"
        data = charts.forest(own, metric, label, p_values if p_values in own else "")
        rows = own[own[column].notna()].to_dict("records")
        listed = ", ".join(f"{row['variant']} {number(row[column], signed=True)}" for row in rows)
        alt = f"Paired difference in test {title} to {baseline} with 95 % intervals: {listed}"
        pictures.append(Picture(f"figures/difference_{metric}.svg", data, alt))
    return pictures


def _forest_notes(material: Material) -> list[str]:
    same = "seeds and folds" if material.plan.confirm.get("folds") else "seeds"
    return [
        f"Values right of the line are higher than those of `{material.plan.baseline}`. Bars are 95 % intervals from "
        f"{material.resamples} resamples of the test patients, paired at the same {same}. p-values are by clustered "
        "DeLong for AUC and by the paired bootstrap for other metrics, adjusted by Holm over the variants.",
    ]


def sweeps_section(material: Material) -> Section:
    """Return charts of each metric against each setting that alone differs between variants."""
    own, parts = material.own, list[Part]()
    for path, values in material.sweeps.items() if own is not None else ():
        assert own is not None
        rows = own[own["variant"].isin(list(values))]
        if rows["variant"].nunique() < 3 or material.plan.baseline not in set(rows["variant"]):
            continue
        numbers = np.array([values[str(name)] for name in rows["variant"]])
        pictures = list(_sweeps(material, path, numbers, rows))
        parts.append(Pictures(f"Against `{path}`", pictures))
    if parts:
        parts.append(
            Lines(
                [
                    "Each point is a variant whose resolved settings differ from those of the baseline in this one "
                    "number. All other searched settings were searched separately for each variant, with the same "
                    "number of trials.",
                    f"Points are means over confirmed models on the test split. The band is the 95 % interval from "
                    f"{material.resamples} resamples of the test patients, with the models held fixed. Points share "
                    "their patients: two of them may differ although their bands overlap. See the paired differences.",
                ],
                quiet=True,
            )
        )
    else:
        parts.append(
            Text(
                "No chart: this section needs three confirmed variants, the baseline among them, that differ in one "
                "number only."
            )
        )
    return Section("settings", "Metrics against one setting", parts)


def _sweeps(material: Material, path: str, values: Array, rows: pd.DataFrame) -> Iterator[Picture]:
    titles = {RANKED: material.titles[RANKED], **{metric.key: metric.title for metric in material.shown}}
    for metric, name in titles.items():
        data = charts.sweep(values, rows, material.plan.baseline, metric, (path, f"test {name}"))
        order = np.argsort(values, kind="stable")
        listed = ", ".join(f"{number(rows[metric].iloc[i])} at {values[i]:g}" for i in order)
        yield Picture(f"figures/{metric}_against_{path}.svg", data, f"Test {name} against {path}: {listed}")


def curves_section(material: Material) -> Section:
    """Return ROC and precision-recall curves of each class, with readers as points."""
    if material.predictions is None or material.predictions.empty:
        return Section("curves", "ROC and precision-recall", [Text(f"{_CONFIRMED} There is no curve to draw.")])
    rows = material.predictions
    rows = rows[(rows["split"] == "test") & (rows["head"] == OWN_HEAD)]
    parts: list[Part] = []
    for label in material.classes:
        pictures = list(_class_curves(material, rows[rows["class"] == label], label))
        if pictures:
            parts.append(Pictures(str(label), pictures))
        else:
            parts.append(Text(f"{label}: no curve, because no model has both labels in the test split."))
    parts.append(Lines(_curve_notes(material), quiet=True))
    return Section("curves", "ROC and precision-recall", parts)


def _class_curves(material: Material, rows: pd.DataFrame, label: str) -> Iterator[Picture]:
    readers = material.readers
    own, _ = _as_curves(material)
    runs = {name: both for name in own if (both := _runs(rows[rows["variant"] == name]))}
    of_readers = {name: both for name in readers if (both := _runs(rows[rows["variant"] == name]))}
    if not runs and not of_readers:
        return
    areas = _areas(material, label)
    names = {name: f"{name} {number(areas.get(name, math.nan))}" for name in runs}
    listed = ", ".join(names.values())
    points = {
        f"{name} {number(areas.get(name, math.nan))}, mean of {len(own)}": np.array(
            [operating_point(labels, scores, SUSPICIOUS) for labels, scores in own]
        )
        for name, own in of_readers.items()
    }
    words = f", and operating points of readers: {', '.join(points)}" if points else ""
    roc = {name: mean_roc(own) for name, own in runs.items()}
    data = charts.curves(roc, names, ("1 − specificity", "sensitivity"), diagonal=True, points=points)
    file = plain_name(label)
    yield Picture(
        f"figures/roc_{file}.svg", data, f"ROC curves of {label}, with areas: {listed}{words}", "ROC; areas under it"
    )
    precision = {name: mean_precision(own) for name, own in runs.items()}
    if precision:
        share = mean_defined([float(np.nanmean(labels)) for own in runs.values() for labels, _ in own])
        data = charts.curves(
            precision, {name: name for name in runs}, ("recall (sensitivity)", "precision"), level=share
        )
        alt = f"Precision-recall curves of {label} for {', '.join(runs)}; chance is the prevalence {number(share)}"
        yield Picture(f"figures/precision_{file}.svg", data, alt, f"Precision-recall; chance is {number(share)}")


def _as_curves(material: Material) -> tuple[list[str], int]:
    """Return the variants drawn as curves, without families of readers, and the number of others."""
    families = {item.name for item in material.plan.variants if item.kind != "trained" and item.facts.get("readers")}
    names = [] if material.own is None else [str(name) for name in material.own["variant"] if name not in families]
    names = sorted(names, key=lambda name: name != material.plan.baseline)
    drawn = names if material.readers else names[:DRAWN]  # readers are compared with every variant
    return drawn, len(names) - len(drawn)


def _curve_notes(material: Material) -> list[str]:
    lines = [
        "Curves of the test split. If a variant has several confirmed models, its curve is their mean at equal steps "
        "of the horizontal axis. Areas are means over models, as in the leaderboard. The dotted line is chance.",
    ]
    own, others = _as_curves(material)
    if others:
        lines.append(f"Shown: the baseline and the highest test AUCs, {len(own)} of {len(own) + others} variants.")
    if any(item.kind == "ensemble" and item.facts.get("readers") for item in material.plan.variants):
        lines.append("Averages with readers have no curve: each consists of one set of scores per reader.")
    if material.readers:
        lines.append(
            "Readers gave likelihoods. Each point is one reader's sensitivity and specificity at a threshold of "
            f"{SUSPICIOUS:g}, the likelihood above which a finding is BI-RADS 4. The ring is their mean."
        )
    return lines


def _areas(material: Material, label: str) -> dict[str, float]:
    own = material.own
    return {} if own is None else dict(zip(own["variant"], own[f"{RANKED}/{label}"], strict=True))


def _runs(rows: pd.DataFrame) -> list[tuple[Array, Array]]:
    """Return labels and scores of each replicate that has both labels."""
    arrays = [(own["label"].to_numpy(np.float64), own["score"].to_numpy(np.float64)) for _, own in by_model(rows)]
    return [(labels, scores) for labels, scores in arrays if {0, 1} <= set(labels)]


def calibration_section(material: Material) -> Section:
    """Return reliability diagrams of each class."""
    table = material.reliability
    if table is None or table.empty:
        why = (
            _CONFIRMED
            if material.own is None
            else "No variant's scores are probabilities, so calibration is undefined."
        )
        return Section("calibration", "Calibration", [Text(f"{why} There is no diagram.")])
    order = [name for name in material.drawn if name in set(table["variant"])]
    pictures = []
    for label in material.classes:
        own = table[table["class"] == label]
        file = plain_name(label)
        alt = f"Reliability of {label} for {', '.join(order)}: share of positives against the mean score of each bin"
        pictures.append(Picture(f"figures/reliability_{file}.svg", charts.reliability(own, order), alt, str(label)))
    notes = [
        "Test images of all confirmed models of a variant, in 15 bins of the score of equal width. On the dotted line "
        "8 of 10 images with a score of .8 are positive. Larger marks represent more images; bins of fewer than 5 are "
        "left out.",
    ]
    notes += [material.drawn_note] if material.drawn_note else []
    return Section("calibration", "Calibration", [Pictures("Reliability", pictures, notes)], {"reliability": table})


def scores_section(material: Material) -> Section:
    """Return further metrics of scores, and the heads of each model."""
    parts: list[Part] = []
    tables = {}
    table = material.classified
    if table is None or table.empty:
        parts.append(Text(f"{_CONFIRMED} There are no further metrics."))
    else:
        tables["classification"] = table
        parts += _further_metrics(material, table[(table["head"] == OWN_HEAD) & (table["class"] == "")])
    further = _declared(material)
    if further is not None:
        parts.append(further)
    if material.declared is not None and len(material.declared):
        tables["metrics"] = material.declared
    heads = material.variants
    of_scores = {key: title for key, title in material.metrics.titles.items() if _of_scores(material, key)}
    if heads is not None and (heads["head"] != OWN_HEAD).any():
        note = (
            "Scores that one trained model gives in addition to its own output (`output`). Differences are to the "
            "baseline's own output."
        )
        parts.append(Table("Heads", head_columns(heads, material.classes, of_scores), [note]))
    if material.units is not None:
        tables["units"] = material.units
        note = (
            "Several images show one unit (for example a breast). The score of a unit is the mean over its images; it "
            "has a class if one of its images has."
        )
        text = main_columns(material.units, material.classes, material.plan.baseline, material.metrics.titles)
        parts.append(Table("By unit of diagnosis", text, [note]))
    if material.replicates is not None:
        tables["replicates"] = material.replicates
    return Section("metrics", "Further metrics", parts, tables)


def _declared(material: Material) -> Table | None:
    """Return the study's metrics that no other table of the report has, such as those of attention and of plugins."""
    if material.declared is None or material.declared.empty:
        return None
    tables = [table for table in (material.classified, material.localised) if table is not None]
    shown = {name for table in tables for name in table["metric"]}
    own = material.declared[(material.declared["head"] == OWN_HEAD) & (material.declared["class"] == "")]
    names = [name for name in dict.fromkeys(own["metric"]) if name not in shown]
    if not names:
        return None
    order, titles = material.ranked(dict.fromkeys(own["variant"])), {n: material.titles.get(n, n) for n in names}
    values = (((row["variant"], row["metric"]), mean_text(row["value"], row["std"])) for row in records(own))
    return Table(
        "Further metrics of the study",
        pivoted({"variant": order}, [(name,) for name in order], titles, values),
        ["Values of the test split as reported by the trials: means over confirmed models, without intervals."],
    )


def _of_scores(material: Material, key: str) -> bool:
    metric = material.metrics.get(key)
    return key == RANKED or (metric is not None and metric.record.reads in OF_SCORES)


def _further_metrics(material: Material, own: pd.DataFrame) -> Iterator[Table]:
    """Yield the values, then their intervals."""
    order, rows = material.ranked(dict.fromkeys(own["variant"])), records(own)

    def cells(names: Sequence[str], text: Callable[[Mapping[str, Any]], str]) -> pd.DataFrame:
        values = (((row["variant"], row["metric"]), text(row)) for row in rows)
        return pivoted({"variant": order}, [(o,) for o in order], {n: material.titles[n] for n in names}, values)

    wanted = [metric.key for metric in material.metrics.at("report", OF_SCORES)]
    shown, bounded = (
        [name for name in wanted if own.loc[own["metric"] == name, column].notna().any()] for column in ("value", "low")
    )
    values = cells(shown, lambda row: number(row["value"]))
    yield Table("Further metrics of the own output", values, _score_notes(material, shown))
    if bounded:
        bounds = cells(bounded, lambda row: bounds_text(row["low"], row["high"]))
        yield Table("Their 95 % intervals", bounds, [intervals_note(material)])


def intervals_note(material: Material) -> str:
    """Return a note on the intervals of further metrics."""
    return (
        f"Intervals are over {material.resamples:,} resamples of the patients, with the trained models and the "
        "thresholds fitted on other splits held fixed. Calibration error, pixel AP, FROC and the Jaccard index of "
        f"layers have no interval. {NARROW}"
    )


def _score_notes(material: Material, names: Sequence[str]) -> list[str]:
    lines = [
        "Values of the test split: means over classes, then over confirmed models. All other metrics, classes and "
        "heads are in the CSV tables."
    ]
    metrics = [metric for metric in map(material.metrics.get, names) if metric is not None]
    if any(metric.split for metric in metrics):
        lines.append(
            "Balanced accuracy is at the threshold with the highest sensitivity + specificity on the validation "
            "split; metrics at 90 % are at thresholds that reach 90 % there. The next column is the value that test "
            "reaches at the same threshold. No threshold is fitted on test."
        )
    if of_probabilities := [metric.title for metric in metrics if metric.record.probabilities]:
        listed = ", ".join(of_probabilities)
        lines.append(f"{listed}: undefined for a variant whose scores are no probabilities. Lower errors are better.")
    return lines


def against_section(material: Material) -> Section:
    """Return what localisation is summed up by against AUC, a point per variant."""
    own, metric = material.own, next(iter(material.of_maps), None)
    title = f"{metric.title if metric else 'Localisation'} against AUC"
    known = None
    if own is not None and metric in material.located:
        known = own[own[metric.key].notna() & own[RANKED].notna()]
    if metric is None or known is None or len(known) < 2:
        name = metric.title if metric else "metric of maps"
        why = f"No variant has a {name}" if known is None else f"Only one variant has a {name}"
        reason = "" if material.outlines else ": the masks of these data are no outlines, so that none can be computed"
        return Section("against", title, [Text(f"{why}{reason}. There is no chart.")])
    rows = known.to_dict("records")
    listed = ", ".join(
        f"{row['variant']} AUC {number(row[RANKED])} and {metric.title} {number(row[metric.key])}" for row in rows
    )
    data = charts.scatter(known, material.plan.baseline, metric.key, metric.title)
    numbers = ", ".join(f"{place} {row['variant']}" for place, row in enumerate(rows, 1))
    notes = [
        f"Points: {numbers}. The baseline is orange.",
        "Both axes: test split, means over confirmed models, with 95 % intervals over patients. A point at the lower "
        "right is a model that classifies well and looks elsewhere.",
    ]
    file = f"figures/{metric.key}_against_{RANKED}.svg"
    picture = Picture(file, data, f"{metric.title} against test AUC: {listed}")
    return Section("against", title, [Pictures("", [picture], notes)])
