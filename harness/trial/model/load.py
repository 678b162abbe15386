"""Loading of a confirmed model from its file of weights, without its study or its data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from harness.contract import seeds
from harness.contract.dataset import Dataset
from harness.contract.errors import InputError, Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Model, Output
from harness.contract.types import Task, TrialSpec
from harness.trial.model.build import BuildError, build_model, device_of
from harness.trial.model.evaluate import run
from harness.trial.model.rng import seeded
from harness.trial.settings.training import TrainSettings


@dataclass(frozen=True)
class Confirmed:
    """A model whose weights are final.

    Args:
        spec: of its trial.
        task: of its training data; new images are resized to its size and channels.
        model: in eval mode, on `device`.
        settings: of its training: batch size, normalisation and precision are used again.
        unlike: distributions that have another version now than during training.
        bits: depth of the pixels it was trained on, 8 or 16; 0 if its file does not state it.
    """

    spec: TrialSpec
    task: Task
    model: Model
    settings: TrainSettings
    device: torch.device
    unlike: tuple[str, ...] = ()
    bits: int = 0

    def chance(self, what: str) -> AbstractContextManager[None]:
        """Return a context in which randomness depends on the model's seed and `what` only."""
        return seeded(seeds.of(what, self.spec.seed), self.device)

    def __call__(self, batch: Batch) -> Output:
        """Return the model's output in fp32; the same for the same batch."""
        with self.chance(f"unseen {batch.ids[0]}"):
            return run(self.model, batch, self.settings, self.device)


def load_model(path: Path, catalog: Catalog, root: Path, device: str = "auto") -> Confirmed:
    """Load the model from the `weights.safetensors` of a confirmation.

    Args:
        path: the file; its metadata hold the trial's spec.
        catalog: provides the components.
        root: the user's data root, for data sets that must be built to know their task.
        device: as in `[compute] device`.

    Raises:
        InputError: the file is damaged or not from a confirmation, a component is not installed or takes
            other parameters, or the weights do not fit the model.
    """
    spec, weights, bits = _read(path)
    settings, target = TrainSettings.of(spec.tree["train"]), device_of(device)
    task = _task(spec, catalog, root, path)
    try:
        model = build_model(spec, catalog, task, settings, target)
        model.load_state_dict(weights)
    except (BuildError, RuntimeError) as error:
        raise InputError(f"{path}: its model cannot be built here: {error}") from error
    return Confirmed(spec, task, model.eval(), settings, target, tuple(catalog.unlike(spec.plugins)), bits)


def mean_output(outputs: Sequence[Output]) -> Output:
    """Return scores, heads and saliency averaged over models of one variant, without logits and parts."""
    first = outputs[0]

    def mean(values: Sequence[Tensor]) -> Tensor:
        return values[0] if len(values) == 1 else torch.stack(list(values)).mean(0)

    heads = {name: mean([out.heads[name] for out in outputs]) for name in first.heads}
    maps = [out.saliency for out in outputs if out.saliency is not None]
    return replace(
        Output(probs=mean([out.probs for out in outputs])),
        heads=heads,
        saliency=mean(maps) if len(maps) == len(outputs) else None,
        grid=first.grid,
    )


def _read(path: Path) -> tuple[TrialSpec, Mapping[str, Tensor], int]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("spec")
            if text is None:
                raise InputError(f"{path}: has no trial in its metadata; give the weights of a confirmed model")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            values = json.loads(text)
            bits = int(values.pop("bits", 0))
            return TrialSpec.from_json(json.dumps(values)), weights, bits
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as the weights of a confirmed model: {error}") from error


def _task(spec: TrialSpec, catalog: Catalog, root: Path, path: Path) -> Task:
    problems = Problems(str(path))
    factory = catalog.factory("dataset", spec.tree["dataset"], problems, "dataset")
    problems.raise_if_any()
    assert factory is not None
    if factory.component.task is not None:
        task: Task = factory.component.task(**factory.params)
        return task
    dataset: Dataset = factory(root)
    return dataset.task
