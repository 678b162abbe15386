"""The controls of localisation: maps without any learning, scored by the same metrics.

The controls are the centre prior, random maps, and the saliency of the same architecture with random weights. They
are recorded with the prefix "control:" if a study names a metric of maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from harness.contract import seeds
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Model, Output, drawn
from harness.contract.tables import CONTROL, WEIGHTS_CONTROL
from harness.contract.types import Task, TrialSpec
from harness.metrics.maps.controls import centre_map, random_map
from harness.metrics.metric import Metric
from harness.trial.model.evaluate import MASKS, run
from harness.trial.model.rng import seeded
from harness.trial.settings.training import TrainSettings

CELL_PX = 32
"""Size of a cell of a control's map for models without saliency, whose grid it would share."""


@dataclass(frozen=True)
class Controls:
    """The controls of a confirmed trial.

    Args:
        seed: of the trial, so that its random maps are always the same.
        fresh: the architecture with random weights; None without controls.
        settings: of the forward pass.
    """

    seed: int
    fresh: Model | None
    settings: TrainSettings
    device: torch.device

    @classmethod
    def of(
        cls,
        spec: TrialSpec,
        catalog: Catalog,
        named: Iterable[Metric],
        task: Task,
        settings: TrainSettings,
        device: torch.device,
    ) -> Controls:
        """Return the controls of a trial; none if the study names no metric of maps or there are no masks."""
        asked = any(MASKS in metric.record.needs for metric in named)
        fresh = _fresh(spec, catalog, task).to(device) if asked and task.mask_kind != "none" else None
        return cls(spec.seed, fresh, settings, device)

    def maps(self, batch: Batch, out: Output, ids: Sequence[str]) -> Iterator[tuple[str, Float[Tensor, "b k i j"]]]:
        """Yield each control by name, on the grid of the model's own saliency map if it has one.

        The random map of an image depends on its id, of which `ids` has one per image.
        """
        if self.fresh is None:
            return
        count, classes = out.probs.shape
        shape = _grid(batch, out)
        yield f"{CONTROL}centre", torch.from_numpy(centre_map(shape)).expand(count, classes, *shape)
        at_random = [random_map((classes, *shape), seeds.of("floor", self.seed, key)) for key in ids]
        yield f"{CONTROL}random", torch.from_numpy(np.stack(at_random))
        fresh = run(self.fresh, batch, self.settings, self.device)
        if fresh.saliency is not None:
            yield WEIGHTS_CONTROL, drawn(fresh, batch)


def _fresh(spec: TrialSpec, catalog: Catalog, task: Task) -> Model:
    """Build the trial's architecture in eval mode with every layer reset at random, pretrained ones too."""
    with seeded(seeds.of("floor", spec.seed), torch.device("cpu")):
        model: Model = catalog.build("architecture", spec.tree["model"], task)
        for layer in model.modules():
            if layer is not model and callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
    return model.eval()


def _grid(batch: Batch, out: Output) -> tuple[int, int]:
    assert batch.targets is not None
    if out.saliency is not None:
        return out.saliency.shape[2], out.saliency.shape[3]
    height, width = batch.targets.masks.shape[2:]
    return max(1, height // CELL_PX), max(1, width // CELL_PX)
