"""The test of a confirmed trial: the weights are frozen, the test split is opened, the tables are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import safetensors.torch
import torch

from harness.contract import seeds
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Model
from harness.contract.tables import OWN_HEAD, OWN_MAP, WEIGHTS_CONTROL
from harness.contract.types import WEIGHTS, Task, TrialSpec
from harness.metrics.metric import Metric
from harness.metrics.registry import fits, study_metrics
from harness.tables.measure.summary import replicates_table
from harness.tables.terms import Tables
from harness.trial.confirm.controls import Controls
from harness.trial.confirm.examined import Examined
from harness.trial.confirm.explaining import Explaining, own_map
from harness.trial.confirm.faithfulness import Faithfulness
from harness.trial.confirm.overlays import WANTED, Overlays
from harness.trial.confirm.record import Record, weights_file
from harness.trial.data.cache import Cache
from harness.trial.data.stage import ConfirmData, Images, Ledger
from harness.trial.model.build import build_model
from harness.trial.model.evaluate import Scorer, by_unit, of_score, score
from harness.trial.model.measure import direct
from harness.trial.model.rng import seeded
from harness.trial.seams.intact import Snapshot
from harness.trial.settings.training import TrainSettings


@dataclass(frozen=True)
class Tested:
    """Metrics of test and tune_loc, and the files of a confirmed model."""

    metrics: Mapping[str, float]
    files: Mapping[str, bytes]


def confirm(
    spec: TrialSpec,
    catalog: Catalog,
    cache: Cache,
    model: Model,
    settings: TrainSettings,
    device: torch.device,
    ledger: Ledger,
) -> Tested:
    """Test a model whose weights are final; nothing is fitted, chosen or tuned here.

    Files: predictions of val and test, overlays of a few test images, the weights, and map terms of tune_loc and
    test if there are masks and saliency. Further files hold the faithfulness of maps, if the study measures it,
    and the reasons why explainers and metrics were left out.

    The weights are saved and every split is scored before an explainer runs.
    """
    data, faults = ConfirmData.of(cache, ledger), dict[str, str]()
    named = [metric.tolerated(faults) for metric in study_metrics(catalog, spec.metrics, spec.metric_tables)]
    saved, before = weights_file(model, spec, _bits(data.test)), Snapshot.of(model)

    def rebuilt() -> Model:
        made = build_model(spec, catalog, data.task, settings, device)
        made.load_state_dict(safetensors.torch.load(saved[WEIGHTS]))
        return made.eval()

    explaining = Explaining(spec.explain, catalog, rebuilt)
    examined = Examined(
        model=model,
        settings=settings,
        device=device,
        task=data.task,
        record=Record(spec, cache.dataset.task, named),
        overlays=Overlays(data.test, data.task, int(spec.explain.get("images", WANTED))),
        controls=Controls.of(spec, catalog, named, data.task, settings, device),
        faithfulness=Faithfulness(spec, data.test, data.task, model, settings, device),
        explained=spec.explain.get("measured"),
    )
    with seeded(seeds.of("test", spec.seed), device):
        metrics = _metrics(examined, named, data)
        if data.tune_loc is None or data.tune_loc.split.name != "val":  # else it has just been recorded
            for _ in examined.predictions(Images("val", cache.split("val"), key=data.test.key)):
                pass
        metrics |= _metrics_by_unit(examined, named, data)
        metrics |= reported(examined.record.tables(), named, data.task)
    explaining.moving = before.changes(model)
    _explain(examined, explaining, data, spec.seed)
    explaining.left_out |= {f"metric {key}": reason for key, reason in faults.items()}
    return Tested(metrics, {**examined.files(), **explaining.files(), **saved})


def _explain(examined: Examined, explaining: Explaining, data: ConfirmData, seed: int) -> None:
    """Record the maps of each explainer in turn, and drop those of one that failed."""
    own = f"faithfulness of {OWN_MAP}"
    with explaining.attempt(own), seeded(seeds.of("explain", seed, OWN_MAP), examined.device):
        examined.faithfulness.measure(OWN_MAP, lambda _, batch, out, classes: own_map(out, batch, classes))
    if own in explaining.left_out:
        examined.faithfulness.drop(OWN_MAP)
    masked = () if data.tune_loc is None else (data.test, data.tune_loc)
    for name in explaining.names if masked or examined.faithfulness.asked else ():
        control = f"{WEIGHTS_CONTROL}:{name}"
        with explaining.turn(name) as turn, seeded(seeds.of("explain", seed, name), examined.device):
            for images in masked:
                examined.explain(turn, images)
            with explaining.attempt(control):
                for images in masked:
                    examined.explain_control(turn, images, control)
            examined.measure(turn)
        for lost in {name, control} if name in explaining.left_out else {control} & explaining.left_out.keys():
            examined.drop(lost)


def _bits(images: Images) -> int:
    """Return the bit depth of single images; 0 for bags, exams and features, which single images cannot match."""
    if images.split.bags is not None or not len(images):
        return 0
    dtype = images.split.images[[0]].dtype
    return 8 * dtype.itemsize if dtype.kind == "u" else 0


def _metrics(examined: Examined, named: Sequence[Metric], data: ConfirmData) -> dict[str, float]:
    """Return the metrics of test, and those of tune_loc that need masks."""
    masks = data.test.outlines is not None
    scorer = Scorer(named, data.task, "test", masks=masks)
    metrics = score(examined.predictions(data.test), scorer)
    if data.tune_loc is not None:
        scorer = Scorer(named, data.task, "tune_loc", masks=True, only_masks=True)
        metrics |= score(examined.predictions(data.tune_loc), scorer)
    return metrics


def _metrics_by_unit(examined: Examined, named: Sequence[Metric], data: ConfirmData) -> dict[str, float]:
    """Return the metrics of test scores averaged by unit; empty if units are images."""
    units = by_unit(examined.scores, data.test)
    if units is None:
        return {}
    of_scores = [metric for metric in named if of_score(metric)]
    return score([units], Scorer(of_scores, data.task, f"test/{data.task.unit}", masks=False))


def reported(tables: Tables, named: Sequence[Metric], task: Task) -> dict[str, float]:
    """Return the test values of metrics that need tables: fitted ones and those of lesions. Keys as in `Scorer`."""
    metrics = [metric for metric in named if not direct(metric) and fits(metric.record, task)]
    found = {}
    for row in replicates_table(tables, metrics, classes=task.classes).to_dict("records"):
        head = "" if row["head"] == OWN_HEAD else str(row["head"])
        for metric in metrics:
            if head and not of_score(metric):  # an explainer's map, or a control's
                continue
            for name in ("", *task.classes):
                column = f"{metric.key}/{name}" if name else metric.key
                if column in row:
                    found["/".join(part for part in ("test", head, column) if part)] = float(row[column])
    return found
