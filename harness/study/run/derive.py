"""Variants that are not trained, derived in the driver's process: external predictions, and averages of predictions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.trees import dataset_table, task_of_tables
from harness.contract import tables
from harness.contract.errors import InputError
from harness.contract.files import file_facts
from harness.contract.loading.catalog import Catalog
from harness.contract.tables import PREDICTIONS
from harness.contract.types import Plan, Sample, TrialResult, TrialSpec, VariantPlan
from harness.study.journal.progress import Progress
from harness.study.journal.trial_record import TrialRecord
from harness.study.plan.derived import table_path
from harness.study.run.policy import due
from harness.study.run.recorder import Recorder

if TYPE_CHECKING:
    import pandas as pd

    from harness.tables.measure.external import Columns

FILE = "predictions.parquet"
WEIGHTS = "ensemble.json"
"""File of the weights of an average, in the folder of its table."""


def read_external(plan: Plan, recorder: Recorder, catalog: Catalog, root: Path) -> None:
    """Read the tables of external predictions that are missing into the study.

    Raises:
        InputError: a table is wrong, has changed since it was planned, or has other test rows than the data set or
            the other tables; the mistakes of all tables are in one message.
    """
    systems = [variant for variant in plan.variants if variant.kind == "external"]
    lacking = [(variant, due(plan, recorder.state, variant)) for variant in systems]
    if not any(specs for _, specs in lacking):
        return
    found = _read_all(plan, systems, catalog, root)  # also those that were read before: all must have the same rows
    for variant, specs in lacking:
        for spec in specs:
            started = time.perf_counter()
            own = _keyed(found[variant.name, spec.params.get("reader")], spec)
            recorder.derived(spec, _result(own, spec, catalog, started))


def average(plan: Plan, recorder: Recorder, catalog: Catalog) -> None:
    """Average members that have all ended; the average fails if a member failed."""
    for variant in plan.variants:
        for spec in due(plan, recorder.state, variant) if variant.kind == "ensemble" else ():
            recorder.derived(spec, _average(Progress(plan, recorder.state), recorder.folder, spec, catalog))


def measured_again(folder: Path, spec: TrialSpec, catalog: Catalog) -> TrialResult:
    """Return the values of metrics that were added to the study later, from the trial's table."""
    data = (folder / FILE).read_bytes()
    return TrialResult(state="complete", metrics=_values(tables.from_bytes(data), spec, catalog), ledger=_OPENED)


_OPENED: Mapping[str, Any] = {"opened": ["test"]}


def _read_all(
    plan: Plan, systems: Sequence[VariantPlan], catalog: Catalog, root: Path
) -> dict[tuple[str, str | None], pd.DataFrame]:
    """Return (variant, reader) -> rows, each checked against the data set or the first table."""
    from harness.tables.measure.external import check_alike, check_exclusive, predictions_of, with_samples

    splits, classes = _samples(dataset_table(plan), catalog, root)
    found: dict[tuple[str, str | None], pd.DataFrame] = {}
    mistakes, first = list[str](), ""
    for variant in systems:
        try:
            frame = _frame(variant, root)
            for reader, columns in columns_of(variant.tree["external"]).items():
                where = f"{variant.tree['external']['predictions']}, {variant.name}" + (f" {reader}" if reader else "")
                rows = predictions_of(frame, columns, where)
                if splits:
                    rows = with_samples(rows, splits, classes, where)
                elif found:
                    check_alike(rows, next(iter(found.values())), where, repr(first))
                if variant.tree["external"].get("kind") == "multiclass":
                    check_exclusive(rows, where)
                first = first or variant.name
                found[variant.name, reader] = rows
        except InputError as error:
            mistakes.append(str(error))
    if mistakes:
        raise InputError("\n".join(mistakes))
    return found


def _frame(variant: VariantPlan, root: Path) -> pd.DataFrame:
    from harness.tables.measure.external import read_table

    table = variant.tree["external"]
    path = table_path(root, table["predictions"])
    if file_facts("predictions", str(path))["files"][str(path)] != variant.facts["table"]:
        raise InputError(f"{path}: has changed since the study was planned")
    names = [name for columns in columns_of(table).values() for name in columns.names()]
    return read_table(path, names)


def columns_of(table: Mapping[str, Any]) -> dict[str | None, Columns]:
    """Return reader -> the meaning of each column; the key of a single external table is None."""
    from harness.tables.measure.external import Columns

    readers: Mapping[str | None, Any] = table.get("readers") or {None: table.get("scores")}
    common = {key: table[key] for key in ("id", "group", "unit", "split", "labels")}
    return {reader: Columns(scores=scores, **common) for reader, scores in readers.items()}


def _samples(
    table: Mapping[str, Any], catalog: Catalog, root: Path
) -> tuple[dict[str, Sequence[Sample]], tuple[str, ...]]:
    if not table:
        return {}, ()
    dataset = catalog.build("dataset", table, root)
    return {name: dataset.split(name) for name in ("val", "test")}, dataset.task.classes


def _keyed(rows: pd.DataFrame, spec: TrialSpec) -> pd.DataFrame:
    seed, fold = spec.replicate
    return rows.assign(study=spec.study, variant=spec.variant, seed=seed, fold=fold)[list(PREDICTIONS)]


def _result(rows: pd.DataFrame, spec: TrialSpec, catalog: Catalog, started: float, **files: bytes) -> TrialResult:
    return TrialResult(
        state="complete",
        metrics=_values(rows, spec, catalog),
        seconds=time.perf_counter() - started,
        files={FILE: tables.to_bytes(rows, "predictions"), **files},
        ledger=_OPENED,
    )


def _values(rows: pd.DataFrame, spec: TrialSpec, catalog: Catalog) -> dict[str, float]:
    """Return `test/<metric>` and `test/<metric>/<class>` of each metric that needs labels and scores only.

    Of a multi-class task also of those that need exactly one class to hold.
    """
    import torch

    from harness.contract.nn import Batch, Output
    from harness.metrics.functional import to_arrays
    from harness.metrics.registry import study_metrics
    from harness.tables.terms import Tables
    from harness.trial.confirm.confirm import reported
    from harness.trial.model.evaluate import Scorer, of_score, score

    tested = rows[rows["split"] == "test"]
    task = task_of_tables(spec.tree, tuple(dict.fromkeys(rows["class"])))
    labels, scores = (torch.tensor(array) for array in to_arrays(tested, task.classes))
    named = [metric for metric in study_metrics(catalog, spec.metrics, spec.metric_tables) if of_score(metric)]
    batch = Batch(labels=labels, ids=tuple(sorted(set(tested["id"]))))
    found = score([(batch, Output(probs=scores))], Scorer(named, task, "test", masks=False))
    return found | reported(Tables(predictions=rows), named, task)


def _average(progress: Progress, folder: Path, spec: TrialSpec, catalog: Catalog) -> TrialResult:
    import json

    from harness.statistics.ensemble import fit_pool, pool

    started, table = time.perf_counter(), spec.tree["ensemble"]
    records = [_member(progress, name, spec) for name in table["of"]]
    lost = [record for record in records if record.state != "complete"]
    if lost:
        reason = lost[0].result.reason if lost[0].result else "it has not ended"
        return TrialResult(state="failed", reason=f"its member {lost[0].spec.variant!r} failed: {reason}")
    paths = [folder / "trials" / record.spec.id / FILE for record in records]
    members = [_own(tables.from_bytes(path.read_bytes())) for path in paths]
    weights = table["weights"]
    try:
        if isinstance(weights, str) and weights != "mean":
            made = fit_pool(members, table["maximise"], table["folds"], oracle=weights == "oracle")
        else:
            made = pool(members, [1 / len(members)] * len(members) if weights == "mean" else weights)
    except ValueError as error:
        return TrialResult(state="failed", reason=str(error))
    said = {"of": table["of"], "weights": made.weights.tolist(), "fitted_on": made.fitted_on}
    rows = _keyed(made.predictions, spec)
    return _result(rows, spec, catalog, started, **{WEIGHTS: json.dumps(said, indent=1).encode()})


def _own(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a member's own output, without its heads."""
    found: pd.DataFrame = rows[rows["head"] == tables.OWN_HEAD]
    return found


def _member(progress: Progress, name: str, spec: TrialSpec) -> TrialRecord:
    """Return the confirmation of a member with the same seed, fold and reader, if it has them."""
    variant = next(variant for variant in progress.plan.variants if variant.name == name)
    seeded = variant.kind == "trained" or variant.tree[variant.kind].get("seeded", False)
    records = progress.of(variant, "confirm") or progress.of(variant, "search")
    for record in records:
        same_run = not seeded or (record.spec.seed, record.spec.fold) == (spec.seed, spec.fold)
        if same_run and record.spec.params.get("reader", None) in (None, spec.params.get("reader")):
            return record
    return records[-1]  # a search without a complete trial: its failure is the reason
