"""Updates of weights: the optimiser and schedule of a study, both from the catalog."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from harness.contract.components import Factory
from harness.contract.errors import InputError, Problems
from harness.contract.loading.catalog import Catalog
from harness.trial.model.build import BuildError
from harness.trial.settings.training import PARTS, TrainSettings


@dataclass(frozen=True)
class Updates:
    """The optimiser and schedule of a training.

    Args:
        lr: the highest learning rate.
        weight_decay: argument of the optimiser, for every parameter.
        make_optimiser: called with parameter groups, `lr` and `weight_decay`.
        make_schedule: called with the steps and the epochs of a phase.
    """

    lr: float
    weight_decay: float
    make_optimiser: Factory
    make_schedule: Factory

    @classmethod
    def of(cls, settings: TrainSettings, catalog: Catalog) -> Updates:
        """Return the updates of a study's [train] table.

        Raises:
            BuildError: an optimiser or schedule is not installed, or takes other parameters.
        """
        problems = Problems("")
        found = {kind: catalog.factory(kind, getattr(settings, kind), problems, f"train.{kind}") for kind in PARTS}
        try:
            problems.raise_if_any()
        except InputError as error:
            raise BuildError(str(error)) from error
        assert found["optimiser"] and found["schedule"]
        return cls(settings.lr, settings.weight_decay, found["optimiser"], found["schedule"])

    def optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Return a fresh optimiser over these parameters, all in one group."""
        made: torch.optim.Optimizer = self.make_optimiser([{"params": list(parameters)}], self.lr, self.weight_decay)
        return made

    def rates(self, steps: int, epochs: int) -> Callable[[int], float]:
        """Return the learning rate of each step of a phase; steps count from 0.

        Raises:
            ValueError: when called, if the schedule's factor is negative or not finite.
        """
        schedule = self.make_schedule(steps, epochs)

        def rate(step: int) -> float:
            factor = schedule(step)
            if not 0 <= factor < math.inf:
                name = self.make_schedule.name
                raise ValueError(f"the schedule {name!r} gives the factor {factor} at step {step} of {steps}.")
            return float(self.lr * factor)

        return rate
