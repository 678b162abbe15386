"""Learning rates and optimisers. A rate is a pure function of the step, so that a resume has nothing to restore."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from harness.trial.settings.training import AdamW, Constant, Cosine, OneCycle, Sgd, Step, TrainSettings

Schedule = Constant | Cosine | OneCycle | Step


def rate(schedule: Schedule, step: int, steps: int, epochs: int) -> float:
    """What the learning rate is multiplied by at a step.

    Args:
        schedule: from the study's `train.schedule`.
        step: counts from 0 within the phase.
        steps: in the whole phase.
        epochs: in the whole phase.
    """
    per_epoch = steps / epochs
    match schedule:
        case Constant():
            return 1.0
        case Step():
            return float(schedule.factor ** (int(step / per_epoch) // schedule.every))
        case Cosine():
            warmup = schedule.warmup * steps
            if step < warmup:
                return (step + 1) / warmup
            return _cosine(1.0, schedule.floor, (step - warmup) / max(1.0, steps - warmup))
        case OneCycle():
            # As torch.optim.lr_scheduler.OneCycleLR, momentum left alone.
            turn, last = schedule.rise * steps - 1, steps - 1
            if step <= turn:
                return _cosine(1 / schedule.start, 1.0, step / turn if turn > 0 else 1.0)
            return _cosine(1.0, 1e-4 / schedule.start, (step - turn) / max(1e-9, last - turn))


def make_optimiser(settings: TrainSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The study's optimiser over these parameters.

    On the CPU Adam is fused: the same update in a third of the time, other in rounding alone. Elsewhere torch chooses.
    """
    chosen, decay, parameters = settings.optimiser, settings.weight_decay, list(parameters)
    if isinstance(chosen, Sgd):
        return torch.optim.SGD(
            parameters, settings.lr, momentum=chosen.momentum, nesterov=chosen.nesterov, weight_decay=decay
        )
    kind = torch.optim.AdamW if isinstance(chosen, AdamW) else torch.optim.Adam
    fused = all(weight.device.type == "cpu" and weight.is_floating_point() for weight in parameters) or None
    return kind(parameters, settings.lr, betas=chosen.betas, weight_decay=decay, fused=fused)


def _cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, max(0.0, fraction)))) / 2
