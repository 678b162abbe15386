"""`harness.report`: the report of a study, and everything that it is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.results import results as read
from harness.api.session import Session
from harness.reporting.material import Material
from harness.reporting.report import write_report
from harness.study.journal.writing import Ledger, digests_of
from harness.study.plan.command_lines import check_command, run_command
from harness.study.plan.differences import differs_by
from harness.study.plan.sweeps import sweeps
from harness.study.results.changed import changed_code
from harness.study.results.results import RESAMPLES, Results

if TYPE_CHECKING:
    import pandas as pd

    from harness.contract.loading.catalog import Catalog
    from harness.contract.types import Plan


def report(study: str | Path | Results, *, budget: str | None = None, session: Session | None = None) -> Path:
    """Write the report of a study's latest run: one HTML file, with Markdown and CSV tables in the same folder.

    Args:
        study: a name, the path of the study file, a folder of results, or results.
        budget: one of the study's; None for the run that was active last.
        session: settings and components; those of the working directory if not given.

    Returns:
        The path of report.html.

    Raises:
        InputError: the study was never run, the folder holds no results, or its data set is not installed.
    """
    session = session or Session.of()
    found = study if isinstance(study, Results) else read(study, budget=budget, session=session)
    return write(found, session)[0]


def write(results: Results, session: Session) -> list[Path]:
    """Write the report below the study's folder; return the files written, report.html first."""
    # Results may be outside the folder of the settings, with their own ledger and data checks.
    session = replace(session, settings=replace(session.settings, results=results.folder.parents[1]))
    return write_report(results.folder / "report", _material(results, session))


def _material(results: Results, session: Session) -> Material:
    plan, ledger = results.plan, Ledger(session.settings.results / "ledger.jsonl")
    return Material(
        plan=plan,
        classes=results.task.classes,
        trials=results.trials,
        **(_confirmed(results) if len(results.predictions) else {}),
        importance=_importance(results),
        sweeps=sweeps(plan),
        differs={item.name: differs_by(plan, item) for item in plan.variants},
        card=_card(results, session),
        overlays=results.overlays,
        assumed=assumptions(plan, session.catalog),
        metrics=results.metrics,
        outlines=results.task.mask_kind == "outline",
        data_check=_data_check(results, session),
        test_openings=ledger.openings(digests_of(plan)),
        own_openings=ledger.openings(digests_of(plan), plan.study_id),
        changed=changed.says if (changed := changed_code(plan, results.state, session.catalog)) else "",
        command=run_command(plan),
        check_command=check_command(plan),
        resamples=RESAMPLES,
    )


def _confirmed(results: Results) -> dict[str, Any]:
    """Return the tables that need a confirmed model."""
    several = bool((results.predictions["unit"] != results.predictions["id"]).any())
    return {
        "predictions": results.predictions,
        "units": results.units if several else None,
        "variants": results.heads,
        "comparison": results.comparison,
        "claims": results.claims,
        "replicates": results.replicates,
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
    """Return the importance of searched parameters, from the cache: its forests take most of a second each."""
    from harness.study.results.table_cache import cached

    def compute() -> pd.DataFrame:
        from harness.adapters.optuna.importance import importance_table

        return importance_table(results.plan, results.state)

    searched = [
        (record.spec.id, record.result.value if record.result else None)
        for record in results.records()
        if record.spec.stage == "search" and record.state == "complete"
    ]
    return cached(results.folder, "importance", {"searched": searched}, compute)


def _data_check(results: Results, session: Session) -> list[str]:
    """Return verdict and findings of the stored check of each data set; empty if none was checked."""
    from harness.study.plan.datacheck import read_check

    lines = []
    for digest in filter(None, dict.fromkeys(digests_of(results.plan))):
        check = read_check(session.settings.results, digest)
        if check is not None:
            summary = f": {check.summary}" if check.summary else ""
            lines.append(f"Leakage and shortcuts, data `{digest[:8]}`: {check.verdict}{summary}")
            lines += [f"{item.level}: {item.message}" for item in check.findings]
    return lines


def _card(results: Results, session: Session) -> pd.DataFrame | None:
    from harness.config.trees import dataset_table
    from harness.tables.measure.costs import data_card, table_card

    table = dataset_table(results.plan)
    if not table or session.catalog.address("dataset", str(table["use"])) is None:
        return table_card(results.predictions, results.task.classes) if len(results.predictions) else None
    dataset = session.catalog.build("dataset", table, session.settings.data)
    splits = {name: dataset.split(name) for name in ("train", "val", "tune_loc", "test")}
    return data_card({name: split for name, split in splits.items() if len(split)}, results.task.classes)


def assumptions(plan: Plan, catalog: Catalog) -> dict[str, Mapping[str, str]]:
    """Return by component the choices made where its source is silent, for all components in use.

    The kind precedes the name if two kinds share it: "pooling attention", "explainer attention".
    """
    from harness.metrics.registry import named
    from harness.study.file.slots import used

    wanted = set().union(*(used(variant.tree, catalog) for variant in plan.variants))
    records = [named(catalog, key, plan.metric_tables.get(key)) for key in plan.metrics]
    wanted |= {("metric", catalog.address_of("metric", item.record)) for item in records if item is not None}
    explainers = [_name_in(entry) for entry in plan.explain.get("use", ())]
    wanted |= {("explainer", catalog.address("explainer", name) or name) for name in explainers}
    offered = [(kind, item) for kind, item, _ in catalog.items() if item.assumed]
    found = [(kind, item) for kind, item in offered if (kind, catalog.address_of(kind, item)) in wanted]
    shared = Counter(item.name for _, item in found)
    return {f"{kind} {item.name}" if shared[item.name] > 1 else item.name: item.assumed for kind, item in found}


def _name_in(entry: Any) -> str:
    """Return the name of a component, given as a table or alone."""
    return str(entry.get("use") if isinstance(entry, Mapping) else entry)
