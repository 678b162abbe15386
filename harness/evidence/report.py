"""Writes a study's report: Markdown to read, CSV to compute with, PNG to look at. It is handed everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contract.tables import OWN_HEAD
from harness.contract.types import Plan
from harness.evidence.accounts import failures, ledger_lines, search_table, unknown_masks
from harness.evidence.figures import difference_figure, overlay_figure
from harness.evidence.markdown import each_columns, head_columns, main_columns, markdown_table, search_columns
from harness.evidence.readers import each_table
from harness.evidence.roc import SUSPICIOUS, roc_figure
from harness.evidence.scores import Array
from harness.evidence.summary import runs_table, variant_table
from harness.evidence.variance import spread_axes

if TYPE_CHECKING:
    import pandas as pd

DICE_NOTE = "Dice is soft Dice of the model's own map, without a threshold, over test images that have the lesion."


def write_report(
    folder: Path,
    *,
    plan: Plan,
    classes: Sequence[str],
    predictions: pd.DataFrame | None,
    maps: pd.DataFrame | None,
    trials: pd.DataFrame,
    card: pd.DataFrame | None = None,
    overlays: Mapping[str, Mapping[str, Array]] | None = None,
    assumed: Mapping[str, Mapping[str, str]] | None = None,
    outlines: bool = True,
    test_openings: int | None = None,
    command: str = "",
    resamples: int = 2000,
) -> list[Path]:
    """Writes `report.md`, `tables/*.csv` and `overlays/*.png`, over what an earlier report left.

    Args:
        folder: where; made if need be.
        plan: what was to run.
        classes: the names of the task's classes, in order.
        predictions: the predictions of all confirmed models, or None where there are none.
        maps: the maps of all confirmed models, or None.
        trials: one row a trial, columns `accounts.TRIALS`, and `ledger` where trials kept one.
        card: what `accounts.data_card` gives.
        overlays: variant -> arrays as `figures.read_overlays` gives them.
        assumed: component -> what its source does not say -> what was chosen (`Component.assumed`).
        outlines: whether masks are outlines, so that Dice may be shown.
        test_openings: how often this data set's test split was opened, over all studies.
        command: what to type to get the same again.
        resamples: bootstrap samples of patients behind each interval.

    Returns:
        The files written, `report.md` first.
    """
    order = [variant.name for variant in plan.variants]
    trained = [variant.name for variant in plan.trained]
    tables = {"search": search_table(trials, order=trained, objective=plan.objective)}
    if predictions is not None and len(predictions):
        tables["variants"] = variant_table(
            predictions,
            maps,
            baseline=plan.baseline,
            order=order,
            classes=classes,
            dice=outlines,
            heads=True,
            resamples=resamples,
        )
        if (predictions["unit"] != predictions["id"]).any():
            tables["units"] = variant_table(
                predictions,
                None,
                baseline=plan.baseline,
                order=order,
                classes=classes,
                unit=True,
                resamples=resamples,
            )
        tables["runs"] = runs_table(predictions, maps, classes=classes, dice=outlines)
        if systems := [variant.name for variant in plan.variants if variant.kind == "system"]:
            tables["each"] = each_table(predictions, baseline=plan.baseline, order=systems, classes=classes)
    if card is not None:
        tables["data"] = card
    pictures = _pictures(plan, tables.get("variants"), overlays or {})
    if "each" in tables and predictions is not None:
        pictures |= _curves(plan, predictions, classes)
    unknown = unknown_masks(maps) if maps is not None else (0, 0)
    text = _render(plan, classes, tables, trials, pictures, assumed or {}, test_openings, command, resamples, unknown)
    files: dict[str, bytes] = {"report.md": text.encode()}
    files |= {f"tables/{name}.csv": table.to_csv(index=False).encode() for name, table in tables.items()}
    return _write(folder, files | pictures)


def _pictures(plan: Plan, table: pd.DataFrame | None, overlays: Mapping[str, Mapping[str, Array]]) -> dict[str, bytes]:
    pictures = {}
    if table is not None:
        own = table[table["head"] == OWN_HEAD]
        if own["auroc_difference"].notna().any():
            pictures["differences.png"] = difference_figure(own, plan.baseline)
    for variant in plan.variants:
        if variant.name in overlays:
            title = f"{variant.name}: where it looks on test images"
            pictures[f"overlays/{variant.name}.png"] = overlay_figure(overlays[variant.name], title)
    return pictures


def _curves(plan: Plan, predictions: pd.DataFrame, classes: Sequence[str]) -> dict[str, bytes]:
    """A ROC figure a class: variants as curves, families of readers as points; averages with readers are left out."""
    families = [variant for variant in plan.variants if variant.kind != "trained" and variant.facts.get("readers")]
    readers = [variant.name for variant in families if variant.kind == "system"]
    order = [variant.name for variant in plan.variants if variant not in families]
    return {f"roc/{label}.svg": roc_figure(predictions, label, order=order, readers=readers) for label in classes}


def _render(
    plan: Plan,
    classes: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
    trials: pd.DataFrame,
    pictures: Mapping[str, bytes],
    assumed: Mapping[str, Mapping[str, str]],
    test_openings: int | None,
    command: str,
    resamples: int,
    unknown: tuple[int, int],
) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    supervised = {variant.name for variant in plan.variants if "train_masks" in variant.needs}
    values: dict[str, Any] = {"main": "", "heads": "", "notes": [], "card": "", "each": "", "units": ""}
    if "variants" in tables:
        table = tables["variants"]
        own = table[table["head"] == OWN_HEAD]
        values["main"] = markdown_table(main_columns(own, classes, plan.baseline, supervised))
        values["notes"] = _notes(own, plan, supervised, resamples, unknown)
        if len(own) < len(table):
            values["heads"] = markdown_table(head_columns(table, classes))
    if "units" in tables:
        values["units"] = markdown_table(main_columns(tables["units"], classes, plan.baseline, supervised))
    if "each" in tables:
        values["each"] = markdown_table(each_columns(tables["each"]))
    if "data" in tables:
        values["card"] = markdown_table(tables["data"].astype(str))
    environment = Environment(
        loader=PackageLoader("harness.evidence"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template("report.md.j2").render(
        plan=plan,
        **values,
        search=markdown_table(search_columns(tables["search"])) if len(tables["search"]) else "",
        failures=failures(trials),
        ledger=ledger_lines(trials, test_openings),
        assumed=assumed,
        command=command,
        threshold=SUSPICIOUS if any(variant.facts.get("readers") for variant in plan.variants) else None,
        curves={Path(name).stem: name for name in pictures if name.startswith("roc/")},
        overlays={Path(name).stem: name for name in pictures if name.startswith("overlays/")},
        difference_picture="differences.png" if "differences.png" in pictures else "",
    )


def _notes(own: pd.DataFrame, plan: Plan, supervised: set[str], resamples: int, unknown: tuple[int, int]) -> list[str]:
    folds = int(plan.confirm.get("folds") or 1)
    over = spread_axes((seed, fold) for seed in plan.confirm["seeds"] for fold in range(folds))
    spread = f"± is the standard deviation over {over}" if over else "of one seed, so that none has a ±"
    spread = spread if plan.trained else "nothing was trained"
    same = "seeds and folds" if folds > 1 else "seeds"
    notes = [
        f"Figures are of the test split, means over confirmed models; {spread}.",
        f"[low, high] is a 95 % interval from {resamples} resamples of the test patients, with the trained models as "
        f"they are: it does not tell what other {same} would give" + ("; ± does." if over else "."),
        f"Differences are paired: to `{plan.baseline}` at the same {same}, on the same resampled patients.",
        *_families(plan),
        "Intervals are not adjusted for the number of variants.",
    ]
    if "dice" in own:
        left_out = "{} of {} lesions (image and class) have no known outline and are left out of it.".format(*unknown)
        notes += [DICE_NOTE, left_out]
    if supervised:
        notes.append(f"Fully supervised, trained with masks: {', '.join(sorted(supervised))}.")
    return notes


def _families(plan: Plan) -> list[str]:
    """What ± means where a variant is several readers."""
    names = [f"`{item.name}`" for item in plan.variants if item.kind != "trained" and item.facts.get("readers")]
    if not names:
        return []
    text = "the mean over readers of their AUCs (not the AUC of their mean), ± the standard deviation over readers."
    return [f"{', '.join(names)}: {text}"]


def _write(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    written = []
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        written.append(path)
    return written
