"""The end of a confirmed trial: the weights are frozen, the test split is opened, the tables are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool
from torch import Tensor

from harness.contract import seeds
from harness.contract.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.contract.tables import OWN_MAP
from harness.contract.types import Task, TrialSpec
from harness.trial.cache import Cache
from harness.trial.evaluate import Scorer, by_unit, of_score, predict, run, score
from harness.trial.explaining import Explaining
from harness.trial.faithfulness import faithfulness_files
from harness.trial.floors import Floors
from harness.trial.loader import Loader
from harness.trial.overlays import WANTED, Overlays, choose
from harness.trial.record import Record, weights_file
from harness.trial.settings import TrainSettings
from harness.trial.stage import ConfirmData, Images, Ledger
from harness.trial.tta import over_copies


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
    """Tests a model whose weights are final; nothing is fitted, chosen or tuned here.

    Files: predictions of val and test, map terms of tune_loc and test (where the data have masks and
    the model has evidence), overlays of a few test images, the weights; faithfulness of maps where the study
    asks for it, and why an explainer was left out where one was.
    """
    data, record = ConfirmData.of(cache, ledger), Record(spec, cache.dataset.task)
    overlays = Overlays(data.test, data.task, int(spec.explain.get("images", WANTED)))
    floors = Floors.of(spec, catalog, data.task, settings, device)
    explaining = Explaining(spec.explain, catalog)
    explained: int | None = spec.explain.get("measured")
    scores: list[tuple[Batch, Output]] = []

    def record_explained(images: Images, batch: Batch) -> None:
        wanted = wanted_maps(images, batch, data.task)
        for name, maps in explaining.every_class(model, batch, wanted) if wanted.any() else ():
            record.add_maps(images, batch, name, maps)

    def record_some(images: Images, count: int) -> None:
        for batch in Loader(images, data.task, settings, device).evaluation(choose(images, count)):
            record_explained(images, batch)

    def recorded(images: Images) -> Iterator[tuple[Batch, Output]]:
        loader = Loader(images, data.task, settings, device)
        for batch, out in predict(model, loader, settings, device):
            if batch.targets is not None:
                if out.evidence is not None:
                    record.add_maps(images, batch, OWN_MAP, out.evidence)
                if explained is None:
                    record_explained(images, batch)
                for name, maps in floors.maps(batch, out):
                    record.add_maps(images, batch, name, maps)
            if images.name == "test":
                out = over_copies(out, batch, loader, lambda copy: run(model, copy, settings, device))
            if images.split.name != "tune_loc":
                record.add_scores(replace(images, name=images.split.name), batch, out)
            if images.name == "test":
                overlays.add(batch, out)
                scores.append((Batch(labels=batch.labels, ids=batch.ids), Output(probs=out.probs)))
            yield batch, out

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seeds.of("test", spec.seed))
        masks = data.test.outlines is not None
        metrics = score(recorded(data.test), Scorer(catalog, spec.metrics, data.task, "test", masks=masks))
        if data.tune_loc is not None:
            scorer = Scorer(catalog, spec.metrics, data.task, "tune_loc", masks=True, only_masks=True)
            metrics |= score(recorded(data.tune_loc), scorer)
        if data.tune_loc is None or data.tune_loc.split.name != "val":  # else it has just been recorded
            for _ in recorded(Images("val", cache.split("val"))):
                pass
        units = by_unit(scores, data.test)
        if units is not None:
            names = [name for name in spec.metrics if of_score(catalog.get("metric", name).needs)]
            metrics |= score([units], Scorer(catalog, names, data.task, f"test/{data.task.unit}", masks=False))
        for images in (data.test, data.tune_loc) if explained is not None and masks else ():
            assert images is not None and explained is not None
            record_some(images, explained)
        tried = faithfulness_files(spec, data.test, data.task, model, settings, device, explaining)
    files = {**record.files(), **tried, **explaining.files(), **overlays.files(), **weights_file(model, spec)}
    return Tested(metrics, files)


def wanted_maps(images: Images, batch: Batch, task: Task) -> Bool[Tensor, "b k"]:
    """Of which classes of each image an explainer's map is measured: of all, where masks draw lesions.

    A picture of layers is that of the image's class alone, and nothing is fitted to it on tune_loc.
    """
    if task.mask_kind != "layers":
        return torch.ones_like(batch.labels, dtype=torch.bool)
    return (batch.labels == 1) & (images.name == "test")
