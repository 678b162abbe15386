"""The test of a confirmed trial: the weights are frozen, the test split is opened, the tables are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn.functional import one_hot

from harness.contract import seeds
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.contract.tables import OWN_HEAD, OWN_MAP
from harness.contract.types import Task, TrialSpec
from harness.metrics.metric import Metric
from harness.metrics.registry import fits, study_metrics
from harness.tables.measure.summary import replicates_table
from harness.tables.terms import Tables
from harness.trial.confirm.controls import Controls
from harness.trial.confirm.explaining import Explaining
from harness.trial.confirm.faithfulness import faithfulness_files
from harness.trial.confirm.overlays import WANTED, Overlays, choose
from harness.trial.confirm.record import Record, weights_file
from harness.trial.data.cache import Cache
from harness.trial.data.loader import Loader
from harness.trial.data.stage import ConfirmData, Images, Ledger
from harness.trial.model.evaluate import Scorer, by_unit, of_score, predict, run, score
from harness.trial.model.measure import direct
from harness.trial.model.rng import seeded
from harness.trial.model.tta import over_copies
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
    and the reasons why explainers were left out.
    """
    data, named = ConfirmData.of(cache, ledger), study_metrics(catalog, spec.metrics, spec.metric_tables)
    examined = Examined(
        model=model,
        settings=settings,
        device=device,
        task=data.task,
        record=Record(spec, cache.dataset.task, named),
        overlays=Overlays(data.test, data.task, int(spec.explain.get("images", WANTED))),
        controls=Controls.of(spec, catalog, named, data.task, settings, device),
        explaining=Explaining(spec.explain, catalog),
        explained=spec.explain.get("measured"),
    )
    with seeded(seeds.of("test", spec.seed), device):
        metrics = _metrics(examined, named, data)
        if data.tune_loc is None or data.tune_loc.split.name != "val":  # else it has just been recorded
            for _ in examined.predictions(Images("val", cache.split("val"))):
                pass
        metrics |= _metrics_by_unit(examined, named, data)
        metrics |= reported(examined.record.tables(), named, data.task)
        if examined.explained is not None and data.tune_loc is not None:
            for images in (data.test, data.tune_loc):
                examined.explain_some(images, examined.explained)
        tried = faithfulness_files(spec, data.test, data.task, model, settings, device, examined.explaining)
    return Tested(metrics, {**examined.files(tried), **weights_file(model, spec, _bits(data.test))})


def _bits(images: Images) -> int:
    """Return the bit depth of single images; 0 for bags, exams and features, which single images cannot match."""
    if images.split.bags is not None or not len(images):
        return 0
    dtype = images.split.images[[0]].dtype
    return 8 * dtype.itemsize if dtype.kind == "u" else 0


@dataclass(frozen=True)
class Examined:
    """A model whose weights are final, and the records of its outputs.

    Args:
        model: with the precision of `settings`, on `device`.
        settings: of its training.
        device: of the model.
        task: of its data.
        record: receives scores and maps.
        overlays: receive pictures of test images.
        controls: maps that every explanation must exceed.
        explaining: the explainers of the study.
        explained: number of images of a split that are explained; None for all.
        scores: of the test images so far.
    """

    model: Model
    settings: TrainSettings
    device: torch.device
    task: Task
    record: Record
    overlays: Overlays
    controls: Controls
    explaining: Explaining
    explained: int | None
    scores: list[tuple[Batch, Output]] = field(default_factory=list)

    def predictions(self, images: Images) -> Iterator[tuple[Batch, Output]]:
        """Yield the outputs of the model for a split and record them, batch by batch."""
        loader, test, split = self._loader(images), images.name == "test", images.split.name
        for batch, out in predict(self.model, loader, self.settings, self.device):
            self._record_maps(images, batch, out)
            if split in ("val", "test"):  # val too: thresholds and weights are fitted on it and used on test
                out = over_copies(out, batch, loader, lambda copy: run(self.model, copy, self.settings, self.device))
                self.record.add_scores(replace(images, name=split), batch, out)
            if test:
                self.record.add_attention(images, batch, out)
                self.overlays.add(batch, out)
                self.scores.append((Batch(labels=batch.labels, ids=batch.ids), Output(probs=out.probs)))
            yield batch, out

    def explain_some(self, images: Images, count: int) -> None:
        """Record the explainers' maps of `count` images."""
        for batch in self._loader(images).evaluation(choose(images, count)):
            self._explain(images, batch, run(self.model, batch, self.settings, self.device))

    def files(self, tried: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the tables and pictures; `tried` are those of the explainers' faithfulness."""
        return {**self.record.files(), **tried, **self.explaining.files(), **self.overlays.files()}

    def _loader(self, images: Images) -> Loader:
        return Loader(images, self.task, self.settings, self.device)

    def _record_maps(self, images: Images, batch: Batch, out: Output) -> None:
        """Record the model's own map, the controls, and explainers' maps if all images are explained; needs masks."""
        if batch.targets is None:
            return
        if out.saliency is not None:
            self._add_maps(images, batch, out, OWN_MAP, out.saliency)
        if self.explained is None:
            self._explain(images, batch, out)
        for name, maps in self.controls.maps(batch, out):
            self._add_maps(images, batch, out, name, maps)

    def _explain(self, images: Images, batch: Batch, out: Output) -> None:
        """Add the explainers' maps of the model and, where controls are kept, of random weights."""
        wanted = wanted_maps(images, out, self.task)
        if not wanted.any():
            return
        for name, maps in self.explaining.every_class(self.model, batch, wanted):
            self._add_maps(images, batch, out, name, maps)
            if images.name == "test":
                self.overlays.explain(batch, name, maps, wanted)
        if self.controls.fresh is not None:
            for name, maps in self.explaining.controls(self.controls.fresh, batch, wanted):
                self._add_maps(images, batch, out, name, maps)

    def _add_maps(self, images: Images, batch: Batch, out: Output, name: str, maps: Tensor) -> None:
        """Record maps; a layer map belongs to no class and is compared with the map of the predicted class."""
        if self.task.mask_kind == "layers":
            said = out.probs.argmax(1).to(maps.device)
            maps = maps[torch.arange(len(maps)), said][:, None].expand_as(maps)
        self.record.add_maps(images, batch, name, maps)


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


def wanted_maps(images: Images, out: Output, task: Task) -> Bool[Tensor, "b k"]:
    """Return the classes of each image for which an explainer's map is measured: all, if masks outline lesions.

    For layer maps it is the predicted class of test images; nothing is fitted on tune_loc.
    """
    if task.mask_kind != "layers":
        return torch.ones_like(out.probs, dtype=torch.bool)
    said = one_hot(out.probs.argmax(1), out.probs.shape[1]).bool()
    return said if images.name == "test" else torch.zeros_like(said)
