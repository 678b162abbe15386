"""Sections on maps: localisation and its controls, and faithfulness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness.contract.tables import CONTROL, OWN_MAP, SHUFFLED, WEIGHTS_CONTROL
from harness.reporting.material import Material
from harness.reporting.parts import Part, Section, Table, Text
from harness.reporting.sections.compared import intervals_note
from harness.tables.markdown import bounded_text, bounds_text, mean_text, number, pivoted, records
from harness.tables.measure.localisation_table import OF_MAPS

if TYPE_CHECKING:
    import pandas as pd

_CONTROLS = {
    "control:centre": "control: centre prior",
    "control:random": "control: random map",
    WEIGHTS_CONTROL: "control: randomised weights",
    SHUFFLED: "control: trained on shuffled labels",
}
_UNEQUAL = (
    "n: the number of lesions (image and class) of a row. Explainers are measured on a part of the test images, which "
    "may be easier or harder. Compare rows of the same n: a control over all images is no control for them."
)


def localisation_section(material: Material) -> Section:
    """Return each localisation metric of the maps and of controls that do not depend on the image."""
    table, title = material.localised, "Localisation and its controls"
    parts: list[Part] = [Text(f"Missing: {where}: {reason}", "warning") for where, reason in material.left_out.items()]
    if table is None or table.empty:
        return Section("localisation", title, [*parts, Text(_no_maps(material))])
    whole = table[(table["class"] == "") & (table["stratum"] == "all") & table["value"].notna()]
    names = _columns(material, whole)
    rows = _rows(material, whole)
    if not names:
        return Section("localisation", title, [*parts, Text(_no_maps(material))], {"localisation": table})
    unequal = len(set(_counts(material, whole, rows))) > 1
    parts.append(
        Table("", _cells(material, whole, rows, names), [*_notes(material, names, rows), *[_UNEQUAL] * unequal])
    )
    bounds = _bounds_cells(material, whole, rows, names)
    if bounds is not None:
        parts.append(Table("Their 95 % intervals", bounds, [intervals_note(material)]))
    sizes = _by_size(material, table, names)
    if sizes is not None:
        note = "Terciles of lesion size on tune_loc: of the whole mask for values of images, of one lesion for FROC."
        parts.append(Table(f"By size of the lesion: `{material.plan.baseline}`", sizes, [note]))
    return Section("localisation", title, parts, {"localisation": table})


def faithfulness_section(material: Material) -> Section:
    """Return the faithfulness of the maps, and the decision charts."""
    table, title = material.faithfulness, "Does the score rest on the map?"
    if table is None or table.empty:
        asked = material.plan.explain.get("faithfulness")
        why = (
            "Not measured: no confirmed model has a faithfulness table, although the study asks for one."
            if asked
            else "Not measured: the study has no [explain.faithfulness]."
        )
        return Section("faithfulness", title, [Text(why)])
    parts: list[Part] = [Table("", _faithful_cells(table, _MAIN), _FAITHFUL_NOTES)]
    covers = table[table["rest_drop"].notna()]
    if len(covers):
        parts.append(Table("Drop and Increase in Confidence", _faithful_cells(covers, _CONFIDENCE), [_CONFIDENCE_NOTE]))
    tables = {"faithfulness": table}
    if material.decisions is not None and len(material.decisions):
        tables["decisions"] = material.decisions
        parts.append(Table("Decision charts", _decision_cells(material.decisions), [_DECISION_NOTE], words=True))
    return Section("faithfulness", title, parts, tables)


_MAIN = {
    "margin": "margin",
    "margin_gain": "gain over a random place",
    "curve_area": "curve area",
    "rank_correlation": "rank correlation",
}
_CONFIDENCE = {
    "rest_drop": "drop, rest covered",
    "rest_increase": "increase, rest covered",
    "important_drop": "drop, important covered",
    "important_increase": "increase, important covered",
}
_CONFIDENCE_NOTE = (
    "Y is the probability before covering, O after it. Drop: mean of max(0, Y − O). Increase: share of images with "
    "O > Y. With the rest covered, a small drop and a large increase are good (Chattopadhay et al. 2018). With the "
    "marked part covered, a large drop (SaliencyCNNAnalysis) and a small increase (our choice) are good."
)
_FAITHFUL_NOTES = (
    "Values are of the class that the model scores highest, on test images chosen beforehand: means over images, then "
    "over models.",
    "Margin: the probability with the rest of the image covered minus that with the marked part covered, with the 95 % "
    "interval over patients. Above 0 the score depends more on the marked part than on the rest. Gain: the margin "
    "minus that of the same map moved to a random place, paired by image. A map that marks everything has a margin and "
    "no gain.",
    "Curve area: area under the insertion curve (higher is better) or the deletion curve (lower is better). Rank "
    "correlation: of the map with that of the model with randomised weights; near 1 the map does not depend on the "
    "trained weights.",
)
_RELIABLE = {True: "yes", False: "no"}
_DECISION_NOTE = (
    "A map is reliable if the intervals of the margin and of its gain over a random place lie above 0. Focus is the "
    "pointing game (focused from .5), accuracy the test AUC (accurate from .8). The limits are our choice: the source "
    "gives none."
)


def _no_maps(material: Material) -> str:
    if material.own is None:
        return "Nothing was confirmed."
    if not material.overlays and material.predictions is not None:
        return "Not measured: no variant gives maps of images with known masks."
    return "Not measured: the data have no masks that allow a metric of localisation."


def _columns(material: Material, whole: pd.DataFrame) -> list[str]:
    present = set(whole["metric"])
    return [metric.key for metric in material.metrics.at("report", OF_MAPS) if metric.key in present]


def _rows(material: Material, whole: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return variant, map and name of each row: the maps of each variant, then the controls of the baseline."""
    pairs = list(dict.fromkeys(zip(whole["variant"], whole["map"], strict=True)))
    real = [pair for pair in pairs if not pair[1].startswith(CONTROL) and pair[0] != SHUFFLED]
    order = material.ranked(dict.fromkeys(variant for variant, _ in real))
    rows = [
        (variant, name, variant if name == OWN_MAP else f"{variant}: {name}")
        for wanted in order
        for variant, name in sorted(real, key=lambda pair: (pair[1] != OWN_MAP, pair[1]))
        if variant == wanted
    ]
    of = material.plan.baseline if any(variant == material.plan.baseline for variant, _ in pairs) else ""
    rows += [(of, name, label) for name, label in _CONTROLS.items() if (of, name) in pairs]
    explained = sorted(name for variant, name in pairs if variant == of and name.startswith(f"{WEIGHTS_CONTROL}:"))
    rows += [
        (of, name, f"{_CONTROLS[WEIGHTS_CONTROL]}, {name.removeprefix(f'{WEIGHTS_CONTROL}:')}") for name in explained
    ]
    rows += [(SHUFFLED, name, _CONTROLS[SHUFFLED]) for variant, name in pairs if (variant, name) == (SHUFFLED, OWN_MAP)]
    return rows


def _cells(material: Material, whole: pd.DataFrame, rows: list[tuple[str, str, str]], names: list[str]) -> pd.DataFrame:
    text = {"map": [label for *_, label in rows]}
    counts = _counts(material, whole, rows)
    if len(set(counts)) > 1:
        text["n"] = [f"{count:.0f}" for count in counts]
    values = (
        ((row["variant"], row["map"], row["metric"]), mean_text(row["value"], row["std"])) for row in records(whole)
    )
    return pivoted(text, [row[:2] for row in rows], _titles(material, names), values)


def _titles(material: Material, names: Iterable[str]) -> dict[str, str]:
    return {name: material.titles.get(name, name) for name in names}


def _counts(material: Material, whole: pd.DataFrame, rows: list[tuple[str, str, str]]) -> list[float]:
    """Return the number of outlined lesions (image and class) of each row; explainers may have fewer images."""
    of_lesions = {metric.key for metric in material.metrics.at("tables", ("lesions",))}
    of_images = whole[~whole["metric"].isin(of_lesions)]
    found = of_images.groupby(["variant", "map"])["n"].max().to_dict()
    return [float(found.get((of, own), 0)) for of, own, _ in rows]


def _bounds_cells(
    material: Material, whole: pd.DataFrame, rows: list[tuple[str, str, str]], names: list[str]
) -> pd.DataFrame | None:
    """Return the intervals of the same maps, for metrics that have any; None if none has."""
    known = records(whole[whole["low"].notna()])
    shown = [name for name in names if any(row["metric"] == name for row in known)]
    if not shown:
        return None
    values = (((row["variant"], row["map"], row["metric"]), bounds_text(row["low"], row["high"])) for row in known)
    leading = {"map": [label for *_, label in rows]}
    return pivoted(leading, [row[:2] for row in rows], _titles(material, shown), values)


def _notes(material: Material, names: list[str], rows: list[tuple[str, str, str]]) -> list[str]:
    lines = [
        "Test images whose lesion is known: means over classes, then over confirmed models, ± their standard deviation."
    ]
    titles: dict[str, list[str]] = {}  # several columns have one meaning, such as boxes at three overlaps
    for metric in filter(None, map(material.metrics.get, names)):
        titles.setdefault(metric.record.summary, []).append(metric.title)
    lines += [f"{', '.join(columns)}: {meaning}." for meaning, columns in titles.items()]
    controls = [label for _, _, label in rows if label.startswith("control")]
    if controls:
        lines.append(
            f"Controls are of `{material.plan.baseline}`, on its own grid: a Gaussian in the middle of the image, "
            "noise, its maps with randomised weights and, if the study asks for it, its configuration trained on "
            "shuffled labels. A map that is not above its controls shows nothing."
        )
    else:
        lines.append("No controls were measured (centre prior, random map, randomised weights).")
    return lines


def _by_size(material: Material, table: pd.DataFrame, names: list[str]) -> pd.DataFrame | None:
    own = table[(table["variant"] == material.plan.baseline) & (table["map"] == OWN_MAP) & (table["class"] == "")]
    own = own[own["stratum"].isin(("small", "medium", "large")) & own["metric"].isin(names)]
    if own.empty:
        return None
    order = [name for name in ("small", "medium", "large") if name in set(own["stratum"])]
    shown = [name for name in names if name in set(own["metric"])]
    values = (((row["stratum"], row["metric"]), number(row["value"])) for row in records(own))
    return pivoted({"lesion": order}, [(name,) for name in order], _titles(material, shown), values)


def _map_cells(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return variant, map and method of each row."""
    return {
        "variant": [str(row["variant"]) for row in rows],
        "map": [str(row["map"]) for row in rows],
        "method": [row["method"] + ("" if row["level"] != row["level"] else f" {row['level']:g}") for row in rows],
    }


def _faithful_cells(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows with those metrics (column -> title) that any of them has."""
    import pandas as pd

    rows = records(table)
    shown = {title: name for name, title in titles.items() if table[name].notna().any()}
    columns = {title: [bounded_text(row, name) for row in rows] for title, name in shown.items()}
    return pd.DataFrame({**_map_cells(rows), "images": [str(row["n"]) for row in rows], **columns})


def _decision_cells(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = records(table)
    return pd.DataFrame(
        {
            **_map_cells(rows),
            "reliable": [_RELIABLE.get(row["reliable"], "not measured") for row in rows],
            "focus": [number(row["focus"]) for row in rows],
            "accuracy": [number(row["accuracy"]) for row in rows],
            "of its focus": [row["of_focus"] or "–" for row in rows],
            "of the model": [row["of_model"] or "–" for row in rows],
        }
    )
