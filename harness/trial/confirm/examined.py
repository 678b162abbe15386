"""A model whose weights are final, run over splits: its scores and maps, and those of explainers, are recorded."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import one_hot

from harness.contract.nn import Batch, Model, Output, drawn
from harness.contract.tables import OWN_MAP
from harness.contract.types import Task
from harness.trial.confirm.controls import Controls
from harness.trial.confirm.explaining import Turn, every_class
from harness.trial.confirm.faithfulness import Faithfulness
from harness.trial.confirm.overlays import Overlays, choose
from harness.trial.confirm.record import Record
from harness.trial.data.loader import Loader
from harness.trial.data.stage import Images
from harness.trial.model.evaluate import predict, run
from harness.trial.model.tta import over_copies
from harness.trial.seams.outputs import explained
from harness.trial.settings.training import TrainSettings


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
        faithfulness: receives measurements of maps of test images.
        explained: number of images of a split that are explained; None for all.
        scores: of the test images so far.
        probs: scores "b k" of unchanged images, by the name of their split.
    """

    model: Model
    settings: TrainSettings
    device: torch.device
    task: Task
    record: Record
    overlays: Overlays
    controls: Controls
    faithfulness: Faithfulness
    explained: int | None
    scores: list[tuple[Batch, Output]] = field(default_factory=list)
    probs: dict[str, list[Tensor]] = field(default_factory=dict)

    def predictions(self, images: Images) -> Iterator[tuple[Batch, Output]]:
        """Yield the outputs of the model for a split and record them, batch by batch."""
        loader, test, split = self._loader(images), images.name == "test", images.split.name
        for batch, out in predict(self.model, loader, self.settings, self.device):
            self.probs.setdefault(images.name, []).append(out.probs.cpu())
            self._record_maps(images, batch, out)
            if split in ("val", "test"):  # val too: thresholds and weights are fitted on it and used on test
                out = over_copies(out, batch, loader, lambda copy: run(self.model, copy, self.settings, self.device))
                self.record.add_scores(replace(images, name=split), batch, out)
            if test:
                self.record.add_attention(images, batch, out)
                self.overlays.add(batch, out)
                self.scores.append((Batch(labels=batch.labels, ids=batch.ids), Output(probs=out.probs)))
            yield batch, out

    def explain(self, turn: Turn, images: Images) -> None:
        """Record an explainer's maps of the images that are explained."""
        for batch, probs in self._to_explain(images):
            wanted = wanted_maps(images, probs, self.task)
            if wanted.any():
                maps = every_class(turn.explainer, turn.model, batch, wanted)
                self._add_maps(images, batch, probs, turn.name, maps)
                if images.name == "test":
                    self.overlays.explain(batch, turn.name, maps, wanted)

    def explain_control(self, turn: Turn, images: Images, name: str) -> None:
        """Record an explainer's maps of random weights under the name of a control, if controls are kept."""
        if self.controls.fresh is None:
            return
        fresh = copy.deepcopy(self.controls.fresh)
        for batch, probs in self._to_explain(images):
            wanted = wanted_maps(images, probs, self.task)
            if wanted.any():
                self._add_maps(images, batch, probs, name, every_class(turn.explainer, fresh, batch, wanted))

    def measure(self, turn: Turn) -> None:
        """Measure the faithfulness of an explainer's maps."""
        self.faithfulness.measure(
            turn.name,
            lambda model, batch, _, classes: explained(
                turn.explainer, turn.model if model is None else model, batch, classes
            ),
        )

    def drop(self, name: str) -> None:
        """Remove everything that was recorded of an explainer's maps."""
        for kept in (self.record, self.overlays, self.faithfulness):
            kept.drop(name)

    def files(self) -> dict[str, bytes]:
        """Return the tables and pictures."""
        return {**self.record.files(), **self.faithfulness.files(), **self.overlays.files()}

    def _loader(self, images: Images) -> Loader:
        return Loader(images, self.task, self.settings, self.device)

    def _to_explain(self, images: Images) -> Iterator[tuple[Batch, Float[Tensor, "b k"]]]:
        """Yield the images that are explained, with their scores."""
        rows = None if self.explained is None else choose(images, self.explained)
        probs = torch.cat(self.probs[images.name])
        for batch in self._loader(images).evaluation(rows):
            yield batch, probs[[images.rows[name] for name in batch.ids]]

    def _record_maps(self, images: Images, batch: Batch, out: Output) -> None:
        """Record the model's own map and the controls; needs masks."""
        if batch.targets is None:
            return
        if out.saliency is not None:
            self._add_maps(images, batch, out.probs, OWN_MAP, drawn(out, batch))
        for name, maps in self.controls.maps(batch, out, images.ids(batch)):
            self._add_maps(images, batch, out.probs, name, maps)

    def _add_maps(self, images: Images, batch: Batch, probs: Float[Tensor, "b k"], name: str, maps: Tensor) -> None:
        """Record maps; a layer map belongs to no class and is compared with the map of the predicted class."""
        if self.task.mask_kind == "layers":
            said = probs.argmax(1).to(maps.device)
            maps = maps[torch.arange(len(maps)), said][:, None].expand_as(maps)
        self.record.add_maps(images, batch, name, maps)


def wanted_maps(images: Images, probs: Float[Tensor, "b k"], task: Task) -> Bool[Tensor, "b k"]:
    """Return the classes of each image for which an explainer's map is measured: all, if masks outline lesions.

    For layer maps it is the predicted class of test images; nothing is fitted on tune_loc.
    """
    if task.mask_kind != "layers":
        return torch.ones_like(probs, dtype=torch.bool)
    said = one_hot(probs.argmax(1), probs.shape[1]).bool()
    return said if images.name == "test" else torch.zeros_like(said)
