"""Laws of schedules, on phases of several lengths."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch

from harness.contract.types import Schedule
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []


@law(LAWS, mend="Divide by the highest factor: `train.lr` is the highest rate.")
def every_step_has_a_factor_between_0_and_1(subject: Subject) -> None:
    """Check that the factor of every step is finite and between 0 and 1."""
    for steps, epochs, schedule in _schedules(subject):
        for step, factor in enumerate(_factors(schedule, range(steps))):
            right = math.isfinite(factor) and 0 <= factor <= 1 + 1e-9
            expect(right, f"step {step} of {steps} in {epochs} epochs has the factor {factor}")


@law(LAWS, mend="Let at least one step of a phase have a factor above 0, in phases of one step too.")
def some_step_of_a_phase_learns(subject: Subject) -> None:
    """Check that a phase of any length has a step whose factor is above 0."""
    for steps, epochs, schedule in _schedules(subject):
        expect(max(_factors(schedule, range(steps))) > 0, f"no step learns in {steps} steps, {epochs} epochs")


@law(LAWS, mend="Compute the factor from the step alone: a checkpoint keeps nothing of a schedule.")
def a_factor_depends_on_the_step_alone(subject: Subject) -> None:
    """Check that other orders of the steps, and a new schedule for each, give the same factors."""
    for steps, epochs, schedule in _schedules(subject):
        where = f"{steps} steps, {epochs} epochs"
        order = torch.randperm(steps, generator=torch.Generator().manual_seed(0)).tolist()
        wanted = _factors(schedule, range(steps))
        found = _factors(schedule, order)
        expect(found == [wanted[step] for step in order], f"another order gives other factors: {where}")
        fresh = [subject.build(steps, epochs)(step) for step in range(steps)]
        expect(fresh == wanted, f"a new schedule gives other factors: {where}")


def _schedules(subject: Subject) -> Iterator[tuple[int, int, Schedule]]:
    for steps, epochs in subject.settings.phases:
        yield steps, epochs, subject.build(steps, epochs)


def _factors(schedule: Schedule, steps: Sequence[int]) -> list[float]:
    return [schedule(step) for step in steps]
