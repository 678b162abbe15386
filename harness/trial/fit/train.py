"""The training loop: `fit` runs phases and epochs, `_epoch` runs batches, `_step` is one update.

It uses no framework and no callbacks: a generator yields after each epoch.
"""

from __future__ import annotations

import functools
import math
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.contract import seeds
from harness.contract.errors import NotFiniteError, blamed, origin_of
from harness.contract.nn import Batch, Model, Phase
from harness.contract.types import Epoch, Objective
from harness.trial.data.loader import Loader
from harness.trial.fit.checkpoint import Checkpoint, Snapshot
from harness.trial.fit.phases import choose, set_modes, spread
from harness.trial.fit.schedule import Updates
from harness.trial.guards.calls import guarded
from harness.trial.model.evaluate import autocast, in_fp32, predict
from harness.trial.model.rng import seeded
from harness.trial.seams.outputs import LOSS_LAW, check_range, extremes, forward, losses
from harness.trial.settings.training import TrainSettings

WINDOW = 3
"""Number of epochs of which a smoothed value is the mean; fewer at the start of a phase."""


class Diverged(ArithmeticError):
    """A loss or objective that is not finite."""


@dataclass
class Fit:
    """A model to fit, and the progress of the fit.

    Args:
        validate: returns the metrics of the validation split, `val/...`.
        updates: the optimiser and schedule that `settings` name.
        loaders: all loaders of an epoch, to measure the time spent waiting.
        epochs: epochs so far, those before a resume included.
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
    """Train the model phase by phase; it ends with the weights of the last phase's best epoch.

    The checkpoint of an epoch is written when the next one is requested. By then the caller has recorded the
    epoch, so none is lost, and at most one is repeated with the same numbers.

    Raises:
        Diverged: a loss or the objective is not finite.
        MachineError: a checkpoint cannot be written.
    """
    if not job.settings.epochs:
        yield _as_built(job)
        return
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
            scores, objective = _scores(job, phase), _objective(job, phase)
            if not job.best or objective.better(scores[epoch.number], scores[job.best]):
                job.best, best_weights = epoch.number, _copy(model.state_dict())
            yield epoch
            state = Snapshot(
                index, tuple(job.epochs), model.state_dict(), optimiser.state_dict(), scaler.state_dict(), job.best,
                best_weights,
            )  # fmt: skip
            checkpoint.save(state)
        model.load_state_dict(best_weights)
    assert phases and job.best


def _as_built(job: Fit) -> Epoch:
    """Score the validation split with the model as it is built; without images there, the value is 0."""
    started = time.perf_counter()
    metrics = job.validate()
    value = _metric(metrics, job.objective.metric) if metrics else 0.0
    if math.isnan(value):
        raise Diverged(f"the objective {job.objective.metric} is not defined without training")
    seconds = time.perf_counter() - started
    epoch = Epoch(
        number=1, metrics=metrics, value=value, smoothed=value, seconds=seconds, phase=job.model.phases()[-1].name
    )
    job.epochs[:], job.best = [epoch], 1
    return epoch


def _epoch(
    job: Fit, phase: Phase, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, *, last: bool
) -> Epoch:
    """Run one epoch over the training images, then the validation split."""
    started, waited = time.perf_counter(), sum(loader.waited for loader in job.loaders)
    number, before = len(job.epochs) + 1, _of(job, phase)
    steps, length = job.train.steps(), phase.epochs or 1
    rate = job.updates.rates(length * steps, length)
    totals: dict[str, float] = {}
    with seeded(seeds.of("epoch", job.seed, number), job.device):
        with _diverging(number, trained=number > 1), blamed(job.model), guarded(job.model):
            job.model.begin_epoch(lambda: predict(job.model, job.train, job.settings, job.device, labelled=True))
        set_modes(job.model, phase)
        for step, batch in enumerate(job.train.training(number)):
            with _diverging(number, f", step {step + 1} of {steps}", trained=number > 1 or step > 0):
                found = _step(job, batch, optimiser, scaler, rate(len(before) * steps + step))
            for name, value in found.items():
                totals[name] = totals.get(name, 0.0) + value
        metrics = {f"train/{name}": total / steps for name, total in totals.items()}
        with _diverging(number):
            metrics = {"train/loss": sum(metrics.values()), **metrics, **job.validate()}
    name = _value_metric(job, phase, last=last)
    value = _metric(metrics, name)
    if math.isnan(value):
        raise Diverged(f"the objective {name} is not defined in epoch {number}")
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
) -> dict[str, float]:
    """Run one batch: forward under autocast, losses in fp32, one update. Return the losses.

    Raises:
        NotFiniteError: a loss, score or map is not finite.
        ContractError: the output or the losses have another form, or a score or map lies outside [0, 1].
    """
    for group in optimiser.param_groups:
        group["lr"] = lr
    with autocast(job.settings, job.device):
        out = in_fp32(forward(job.model, batch))
    found = losses(job.model, out, batch)
    optimiser.zero_grad(set_to_none=True)
    total = functools.reduce(operator.add, [loss.float() for loss in found.values()])
    with blamed(job.model):
        torch.autograd.backward(scaler.scale(total))
    if job.settings.clip is not None:
        scaler.unscale_(optimiser)
        torch.nn.utils.clip_grad_norm_(
            [parameter for group in optimiser.param_groups for parameter in group["params"]], job.settings.clip
        )
    with blamed(optimiser), guarded(optimiser):
        scaler.step(optimiser)
    scaler.update()
    own = torch.stack([loss.detach().float() for loss in found.values()])
    numbers = torch.cat([own, extremes(out)]).tolist()  # the only synchronisation with a GPU
    values = dict(zip(found, numbers, strict=False))
    if wrong := [name for name, value in values.items() if not math.isfinite(value)]:
        raise NotFiniteError(origin_of(job.model), f"the loss ({', '.join(wrong)})", LOSS_LAW)
    check_range(job.model, out, numbers[len(found) :])
    return values


@contextmanager
def _diverging(number: int, where: str = "", *, trained: bool = True) -> Iterator[None]:
    """Turn a value that is not finite into Diverged, if the model has learned; before that it is the model's fault."""
    try:
        yield
    except NotFiniteError as error:
        if not trained:
            raise
        raise Diverged(f"{error.what} is not finite in epoch {number}{where}") from error


def _over(job: Fit, phase: Phase) -> bool:
    """Return True if the phase has reached its length or the early-stopping rule applies."""
    done, rule = _of(job, phase), job.settings.early_stop
    if len(done) >= (phase.epochs or 1):
        return True
    return (
        rule is not None and len(done) >= rule.min_epochs and bool(done) and done[-1].number - job.best >= rule.patience
    )


def _objective(job: Fit, phase: Phase) -> Objective:
    """Return the objective that selects the best epoch of the phase."""
    return job.objective if phase.select_by is None else Objective(metric=phase.select_by, mode=phase.mode)


def _value_metric(job: Fit, phase: Phase, *, last: bool) -> str:
    """Return the metric that gives an epoch's value.

    Before the last phase the objective may be of a head that has learned nothing yet, and a pruner would stop
    trials by chance. The value is then that of the phase's own objective, if both have the same mode.
    """
    own = _objective(job, phase)
    return job.objective.metric if last or own.mode != job.objective.mode else own.metric


def _scores(job: Fit, phase: Phase) -> dict[int, float]:
    """Return the values that select the phase's epochs: three-epoch means of the objective or of `select_by`."""
    done, name = _of(job, phase), _objective(job, phase).metric
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
