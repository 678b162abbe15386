"""Built-in schedules of the learning rate. Given the steps and epochs of a phase; returns a factor for each step.

Each is a pure function of the step, so that a resume has nothing to restore. `train.lr` is the highest rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness import Component, Schedule, hookimpl


def build_constant(steps: int, epochs: int, /) -> Schedule:
    """Return a factor of 1 throughout."""
    return lambda step: 1.0


def build_step(steps: int, epochs: int, /, *, every: int = 20, factor: float = 0.1) -> Schedule:
    """Return `factor` to the power of how many times `every` epochs have passed.

    Args:
        steps: number of steps of the phase.
        epochs: number of epochs of the phase.
        every: number of epochs between two changes of the rate, at least 1.
        factor: of the rate at each change, in (0, 1].
    """
    per_epoch = steps / epochs
    return lambda step: float(factor ** (int(step / per_epoch) // every))


def build_cosine(steps: int, epochs: int, /, *, warmup: float = 0.0, floor: float = 0.0) -> Schedule:
    """Return half a cosine from 1 down to `floor`, after a linear rise.

    Args:
        steps: number of steps of the phase.
        epochs: number of epochs of the phase.
        warmup: share of all steps in which the rate rises, in [0, 1).
        floor: the last factor of the rate, in [0, 1].
    """
    rise = warmup * steps

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return _cosine(1.0, floor, (step - rise) / max(1.0, steps - rise))

    return factor


def build_one_cycle(steps: int, epochs: int, /, *, rise: float = 0.3, start: float = 25.0) -> Schedule:
    """Return a rise from 1 / `start` to 1 in the first `rise` of all steps, then a fall close to 0.

    As torch.optim.lr_scheduler.OneCycleLR, with momentum left alone.

    Args:
        steps: number of steps of the phase.
        epochs: number of epochs of the phase.
        rise: share of all steps in which the rate rises, in (0, 1).
        start: the rate rises from 1 / `start` of the highest, at least 1.
    """
    turn, last = rise * steps - 1, steps - 1

    def factor(step: int) -> float:
        if step <= turn:
            return _cosine(1 / start, 1.0, step / turn if turn > 0 else 1.0)
        return _cosine(1.0, 1e-4 / start, (step - turn) / max(1e-9, last - turn))

    return factor


def check_step(*, every: int, factor: float) -> Mapping[str, Any]:
    """Check the parameters of `step`."""
    return _checked(
        {
            f"`every >= 1` must hold, but got {every=}": every >= 1,
            f"`0 < factor <= 1` must hold, but got {factor=}": 0 < factor <= 1,
        }
    )


def check_cosine(*, warmup: float, floor: float) -> Mapping[str, Any]:
    """Check the parameters of `cosine`."""
    return _checked(
        {
            f"`0 <= warmup < 1` must hold, but got {warmup=}": 0 <= warmup < 1,
            f"`0 <= floor <= 1` must hold, but got {floor=}": 0 <= floor <= 1,
        }
    )


def check_one_cycle(*, rise: float, start: float) -> Mapping[str, Any]:
    """Check the parameters of `one_cycle`."""
    return _checked(
        {
            f"`0 < rise < 1` must hold, but got {rise=}": 0 < rise < 1,
            f"`start >= 1` must hold, but got {start=}": start >= 1,
        }
    )


@hookimpl
def harness_schedules() -> Iterable[Component[Schedule]]:
    """Return every schedule of this package."""
    yield Component(name="constant", build=build_constant, summary="the rate stays as it is")
    yield Component(
        name="step", build=build_step, facts=check_step, summary="the rate times `factor` after every `every` epochs"
    )
    yield Component(
        name="cosine",
        build=build_cosine,
        facts=check_cosine,
        summary="half a cosine down to `floor`, after a linear rise over `warmup` of all steps",
        source="Loshchilov & Hutter 2017, arXiv:1608.03983",
    )
    yield Component(
        name="one_cycle",
        build=build_one_cycle,
        facts=check_one_cycle,
        summary="up from 1 / `start` in the first `rise` of all steps, then down close to 0",
        source="Smith & Topin 2018, arXiv:1708.07120",
    )


def _checked(rules: Mapping[str, bool]) -> Mapping[str, Any]:
    """Return no facts, or raise a ValueError that names every broken rule."""
    if wrong := [rule for rule, holds in rules.items() if not holds]:
        raise ValueError("; ".join(wrong) + ".")
    return {}


def _cosine(start: float, end: float, fraction: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(1.0, max(0.0, fraction)))) / 2
