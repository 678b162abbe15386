"""The training loop: `fit` goes through phases and epochs, `_epoch` through batches, `_step` is one of them.

No framework and no callbacks. What a loop elsewhere would hook into is here a generator's `yield`.
"""

from __future__ import annotations

import functools
import math
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.contract import seeds
from harness.contract.nn import Batch, Model, Phase
from harness.contract.types import Epoch, Objective
from harness.trial.data.loader import Loader
from harness.trial.fit.checkpoint import Checkpoint, Snapshot
from harness.trial.fit.phases import choose, set_modes, spread
from harness.trial.fit.schedule import Updates
from harness.trial.model.evaluate import autocast, in_fp32, predict
from harness.trial.model.rng import seeded
from harness.trial.settings.training import TrainSettings

WINDOW = 3
"""Epochs that a smoothed value is the mean of, fewer at the start of a phase."""


class Diverged(ArithmeticError):
    """A loss or the objective is not finite."""


@dataclass
class Fit:
    """One model to be fitted, and how far it has come.

    Args:
        validate: metrics of the validation split, `val/...`.
        updates: the optimiser and schedule that `settings` name.
        loaders: all that read during an epoch, for the time spent waiting.
        epochs: done so far, those before a resume included.
        best: number of the best epoch of the last phase.
    """

    model: Model
    train: Loader
    settings: TrainSettings
    updates: Updates
    objective: Objective
    seed: int
    device: torch.device
    validate: Callable[[], Mapping[str, float]]
    loaders: Sequence[Loader] = ()
    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0


def fit(job: Fit, checkpoint: Checkpoint) -> Iterator[Epoch]:
    """Trains the model, phase by phase, and leaves it with the weights of the last phase's best epoch.

    The checkpoint of an epoch is written when the next one is asked for: by then the caller has
    recorded it, so that none is lost and at most one is repeated, with the same numbers.

    Raises:
        Diverged: a loss or the objective is not finite.
        MachineError: a checkpoint cannot be written.
    """
    model, resumed = job.model, checkpoint.load()
    for index, phase in enumerate(phases := spread(model.phases(), job.settings.epochs)):
        if resumed and index < resumed.phase:
            continue
        optimiser = job.updates.optimiser(choose(model, phase))
        scaler = torch.amp.GradScaler(job.device.type, enabled=job.settings.amp == "fp16")
        job.best, best_weights = 0, {}
        if resumed:
            job.epochs[:], job.best, best_weights = resumed.epochs, resumed.best, dict(resumed.best_weights)
            model.load_state_dict(resumed.weights)
            optimiser.load_state_dict(dict(resumed.optimiser))
            scaler.load_state_dict(dict(resumed.scaler))
            resumed = None
        while not _over(job, phase):
            epoch = _epoch(job, phase, optimiser, scaler, last=index + 1 == len(phases))
            job.epochs.append(epoch)
            scores, chosen_by = _scores(job, phase), _chosen_by(job, phase)
            if not job.best or chosen_by.better(scores[epoch.number], scores[job.best]):
                job.best, best_weights = epoch.number, _copy(model.state_dict())
            yield epoch
            state = Snapshot(
                index, tuple(job.epochs), model.state_dict(), optimiser.state_dict(), scaler.state_dict(), job.best,
                best_weights,
            )  # fmt: skip
            checkpoint.save(state)
        model.load_state_dict(best_weights)
    assert phases and job.best


def _epoch(
    job: Fit, phase: Phase, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, *, last: bool
) -> Epoch:
    """One pass over the training images, then the validation split."""
    started, waited = time.perf_counter(), sum(loader.waited for loader in job.loaders)
    number, before = len(job.epochs) + 1, _of(job, phase)
    steps, length = job.train.steps(), phase.epochs or 1
    rate = job.updates.rates(length * steps, length)
    totals: dict[str, float] = {}
    with seeded(seeds.of("epoch", job.seed, number), job.device):
        job.model.begin_epoch(lambda: predict(job.model, job.train, job.settings, job.device))
        set_modes(job.model, phase)
        for step, batch in enumerate(job.train.training(number)):
            losses = _step(job, batch, optimiser, scaler, rate(len(before) * steps + step))
            values = torch.stack([loss.float() for loss in losses.values()]).tolist()  # one wait for a GPU, not many
            for name, value in zip(losses, values, strict=True):
                totals[name] = totals.get(name, 0.0) + value
            if not all(map(math.isfinite, totals.values())):
                found = ", ".join(name for name, total in totals.items() if not math.isfinite(total))
                raise Diverged(f"the loss ({found}) is not finite in epoch {number}, step {step + 1} of {steps}")
        metrics = {f"train/{name}": total / steps for name, total in totals.items()}
        metrics = {"train/loss": sum(metrics.values()), **metrics, **job.validate()}
    told = _told(job, phase, last=last)
    value = _metric(metrics, told)
    if math.isnan(value):
        raise Diverged(f"the objective {told} is not defined in epoch {number}")
    return Epoch(
        number=number,
        metrics=metrics,
        value=value,
        smoothed=_smoothed([*(epoch.value for epoch in before), value]),
        seconds=time.perf_counter() - started,
        waited=sum(loader.waited for loader in job.loaders) - waited,
        phase=phase.name,
    )


def _step(
    job: Fit, batch: Batch, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, lr: float
) -> dict[str, Tensor]:
    """One batch: forward under autocast, losses in fp32, one update."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    with autocast(job.settings, job.device):
        out = job.model(batch)
    losses = job.model.losses(in_fp32(out), batch)
    optimiser.zero_grad(set_to_none=True)
    total = functools.reduce(operator.add, [loss.float() for loss in losses.values()])
    torch.autograd.backward(scaler.scale(total))
    if job.settings.clip is not None:
        scaler.unscale_(optimiser)
        torch.nn.utils.clip_grad_norm_(
            [parameter for group in optimiser.param_groups for parameter in group["params"]], job.settings.clip
        )
    scaler.step(optimiser)
    scaler.update()
    return {name: loss.detach() for name, loss in losses.items()}


def _over(job: Fit, phase: Phase) -> bool:
    """Whether the phase has run its length, or its own early-stopping rule says so."""
    done, rule = _of(job, phase), job.settings.early_stop
    if len(done) >= (phase.epochs or 1):
        return True
    return (
        rule is not None and len(done) >= rule.min_epochs and bool(done) and done[-1].number - job.best >= rule.patience
    )


def _chosen_by(job: Fit, phase: Phase) -> Objective:
    """What the best epoch of the phase is the best of."""
    return job.objective if phase.select_by is None else Objective(metric=phase.select_by, mode=phase.mode)


def _told(job: Fit, phase: Phase, *, last: bool) -> str:
    """The metric that an epoch's value is of.

    Before the last phase the objective may be of a head that has learned nothing yet, and a scheduler would stop
    trials by chance: it is told what the phase is chosen by, where both run the same way.
    """
    chosen_by = _chosen_by(job, phase)
    return job.objective.metric if last or chosen_by.mode != job.objective.mode else chosen_by.metric


def _scores(job: Fit, phase: Phase) -> dict[int, float]:
    """What the phase's epochs are chosen by: three-epoch means of the objective, or of `select_by`."""
    done, name = _of(job, phase), _chosen_by(job, phase).metric
    values = [_metric(epoch.metrics, name) for epoch in done]
    return {epoch.number: _smoothed(values[: place + 1]) for place, epoch in enumerate(done)}


def _smoothed(values: Sequence[float]) -> float:
    last = values[-WINDOW:]
    return sum(last) / len(last)


def _of(job: Fit, phase: Phase) -> list[Epoch]:
    return [epoch for epoch in job.epochs if epoch.phase == phase.name]


def _metric(metrics: Mapping[str, float], name: str) -> float:
    if name not in metrics:
        raise ValueError(f"there is no metric {name!r}; an epoch has {', '.join(sorted(metrics))}.")
    return metrics[name]


def _copy(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}
