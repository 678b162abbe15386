"""Hands the report everything it needs: tables, splits, pictures, what was assumed, the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.app import App
from harness.cli.options import check_command, set_options
from harness.cli.views.tables import differs_by
from harness.study.journal.writing import Ledger, digests_of
from harness.study.plan.sweeps import sweeps
from harness.study.results.results import RESAMPLES, Results

if TYPE_CHECKING:
    import pandas as pd

    from harness.contract.catalog import Catalog
    from harness.contract.types import Plan
    from harness.reporting.report import Material


def make_report(app: App, results: Results) -> list[Path]:
    """Writes the report below the study's folder; the files written, report.html first."""
    from harness.reporting.report import write_report

    return write_report(results.folder / "report", material_of(app, results))


def material_of(app: App, results: Results) -> Material:
    """Everything the report of these results is made from; statistics come from the cache where they are in it."""
    from harness.reporting.report import Material

    plan, ledger = results.plan, Ledger(app.settings.results / "ledger.jsonl")
    return Material(
        plan=plan,
        classes=results.task.classes,
        trials=results.trials,
        **(_confirmed(results) if len(results.predictions) else {}),
        importance=_importance(results),
        sweeps=sweeps(plan),
        differs={item.name: differs_by(plan, item) for item in plan.variants},
        card=_card(app, results),
        overlays=_overlays(results),
        assumed=assumptions(plan, app.catalog),
        outlines=results.task.mask_kind == "outline",
        data_check=_data_check(app, results),
        test_openings=ledger.openings(digests_of(plan)),
        own_openings=ledger.openings(digests_of(plan), plan.study_id),
        command=" ".join(["harness study run", plan.named, *set_options(plan.overrides)]),
        check_command=check_command(plan),
        resamples=RESAMPLES,
    )


def _confirmed(results: Results) -> dict[str, Any]:
    """The tables that need a confirmed model."""
    several = bool((results.predictions["unit"] != results.predictions["id"]).any())
    return {
        "predictions": results.predictions,
        "units": results.units if several else None,
        "variants": results.heads,
        "comparison": results.comparison,
        "claims": results.claims,
        "runs": results.runs,
        "each": results.each,
        "declared": results.declared,
        "classified": results.classified,
        "localised": results.localised,
        "reliability": results.pooled_reliability,
        "faithfulness": results.faithfulness,
        "decisions": results.decisions() if len(results.faithfulness) else None,
        "unknown_masks": results.unknown_masks,
    }


def _importance(results: Results) -> pd.DataFrame:
    """Kept like the other evidence, although it is of the search: its forests take most of a second each."""
    from harness.study.results.table_cache import cached

    def compute() -> pd.DataFrame:
        from harness.adapters.optuna.importance import importance_table

        return importance_table(results.plan, results.history)

    searched = [
        (record.spec.id, record.result.value if record.result else None)
        for record in results.records()
        if record.spec.stage == "search" and record.state == "complete"
    ]
    return cached(results.folder, "importance", {"searched": searched}, compute)


def _data_check(app: App, results: Results) -> list[str]:
    """Verdict and findings of the kept check of each data set; empty where none was checked."""
    from harness.study.plan.datacheck import read_check

    lines = []
    for digest in filter(None, dict.fromkeys(digests_of(results.plan))):
        check = read_check(app.settings.results, digest)
        if check is not None:
            summary = f": {check.summary}" if check.summary else ""
            lines.append(f"Leakage and shortcuts, data `{digest[:8]}`: {check.verdict}{summary}")
            lines += [f"{item.level}: {item.message}" for item in check.findings]
    return lines


def _card(app: App, results: Results) -> pd.DataFrame | None:
    from harness.config.trees import dataset_table
    from harness.tables.measure.costs import data_card, table_card

    table = dataset_table(results.plan)
    if not table:
        return table_card(results.predictions, results.task.classes) if len(results.predictions) else None
    dataset = app.catalog.build("dataset", table, app.settings.data)
    splits = {name: dataset.split(name) for name in ("train", "val", "tune_loc", "test")}
    return data_card({name: split for name, split in splits.items() if len(split)}, results.task.classes)


def _overlays(results: Results) -> dict[str, Mapping[str, Any]]:
    """Of each variant, the pictures of its first confirmed model."""
    from harness.reporting.figures.pictures import read_overlays

    found: dict[str, Mapping[str, Any]] = {}
    for record in results.records():
        path = results.folder / "trials" / record.spec.id / "overlays.npz"
        if record.spec.variant not in found and record.spec.stage == "confirm" and path.exists():
            found[record.spec.variant] = read_overlays(path.read_bytes())
    return found


def assumptions(plan: Plan, catalog: Catalog) -> dict[str, Mapping[str, str]]:
    """What the sources of the components in use do not say, and what was chosen, by component.

    The kind stands before the name where two kinds have it: "pooling attention", "explainer attention".
    """
    from harness.study.file.slots import used

    wanted = set().union(*(used(variant.tree, catalog) for variant in plan.variants))
    wanted |= {("metric", name) for name in plan.metrics}
    wanted |= {("explainer", str(_name_in(entry))) for entry in plan.explain.get("use", ())}
    found = [(kind, item) for kind, item, _ in catalog.items() if (kind, item.name) in wanted and item.assumed]
    shared = Counter(item.name for _, item in found)
    return {f"{kind} {item.name}" if shared[item.name] > 1 else item.name: item.assumed for kind, item in found}


def _name_in(entry: Any) -> Any:
    """A component's name, of its table or alone."""
    return entry.get("use") if isinstance(entry, Mapping) else entry
