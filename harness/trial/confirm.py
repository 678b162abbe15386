"""The end of a confirmed trial: the weights are frozen, the test split is opened, the tables are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from harness.contract import seeds
from harness.contract.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.contract.types import TrialSpec
from harness.trial.cache import Cache
from harness.trial.evaluate import MASKS, Scorer, by_unit, predict, score
from harness.trial.explaining import Explaining
from harness.trial.faithfulness import faithfulness_files
from harness.trial.floors import Floors
from harness.trial.loader import Loader
from harness.trial.overlays import WANTED, Overlays
from harness.trial.record import Record, weights_file
from harness.trial.settings import TrainSettings
from harness.trial.stage import ConfirmData, Images, Ledger


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
    scores: list[tuple[Batch, Output]] = []

    def recorded(images: Images) -> Iterator[tuple[Batch, Output]]:
        for batch, out in predict(model, Loader(images, data.task, settings, device), settings, device):
            if batch.targets is not None:
                for name, maps in explaining.every_class(model, batch, out):
                    record.add_maps(images, batch, name, maps)
                for name, maps in floors.maps(batch, out):
                    record.add_maps(images, batch, name, maps)
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
            names = [name for name in spec.metrics if MASKS not in catalog.get("metric", name).needs]
            metrics |= score([units], Scorer(catalog, names, data.task, f"test/{data.task.unit}", masks=False))
        tried = faithfulness_files(spec, data.test, data.task, model, settings, device, explaining)
    files = {**record.files(), **tried, **explaining.files(), **overlays.files(), **weights_file(model, spec)}
    return Tested(metrics, files)
