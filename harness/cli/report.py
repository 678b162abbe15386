"""Hands the report everything it needs: tables, splits, pictures, what was assumed, the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.app import App
from harness.study.results import Results
from harness.study.writing import Ledger, digests_of

if TYPE_CHECKING:
    import pandas as pd


def make_report(app: App, results: Results) -> list[Path]:
    """Writes the report below the study's folder; the files written, report.md first."""
    from harness.evidence.report import write_report

    plan = results.plan
    return write_report(
        results.folder / "report",
        plan=plan,
        classes=results.task.classes,
        predictions=results.predictions if len(results.predictions) else None,
        maps=results.maps if len(results.maps) else None,
        trials=results.trials,
        card=_card(app, results),
        overlays=_overlays(results),
        assumed=_assumed(app, results),
        outlines=results.task.mask_kind == "outline",
        test_openings=Ledger(app.settings.results / "ledger.jsonl").openings(digests_of(plan)),
        command=f"harness study run {plan.study} --budget {plan.budget}",
    )


def _card(app: App, results: Results) -> pd.DataFrame | None:
    from harness.evidence.accounts import data_card, table_card
    from harness.study.trees import dataset_table

    table = dataset_table(results.plan)
    if not table:
        return table_card(results.predictions, results.task.classes) if len(results.predictions) else None
    dataset = app.catalog.build("dataset", table, app.settings.data)
    splits = {name: dataset.split(name) for name in ("train", "val", "tune_loc", "test")}
    return data_card({name: split for name, split in splits.items() if len(split)}, results.task.classes)


def _overlays(results: Results) -> dict[str, Mapping[str, Any]]:
    """Of each variant, the pictures of its first confirmed model."""
    from harness.evidence.figures import read_overlays

    found: dict[str, Mapping[str, Any]] = {}
    for record in results.records():
        path = results.folder / "trials" / record.spec.id / "overlays.npz"
        if record.spec.variant not in found and record.spec.stage == "confirm" and path.exists():
            found[record.spec.variant] = read_overlays(path.read_bytes())
    return found


def _assumed(app: App, results: Results) -> dict[str, Mapping[str, str]]:
    """What the sources of the components in use do not say, and what was chosen."""
    used = {name for variant in results.plan.variants for name in _uses(variant.tree)}
    return {
        component.name: component.assumed
        for _, component, _ in app.catalog.items()
        if component.name in used and component.assumed
    }


def _uses(table: Any) -> set[str]:
    if isinstance(table, Mapping):
        own = {table["use"]} if isinstance(table.get("use"), str) else set()
        return own.union(*(_uses(value) for value in table.values()))
    if isinstance(table, list | tuple):
        return set().union(*(_uses(value) for value in table))
    return set()
