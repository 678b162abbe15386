"""Optimisers and schedules that each break one law."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from harness import Schedule
from tests.harness.testing.zoo.animal import animal


class Honest(torch.optim.Optimizer):
    """Gradient descent with momentum and decay."""

    def __init__(self, groups, lr, decay):
        super().__init__(groups, {"lr": lr, "weight_decay": decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self.update(weight, weight.grad, group)

    def update(self, weight, gradient, group):
        mean = self.mean_of(weight).mul_(0.5).add_(gradient)
        weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(mean, alpha=group["lr"])

    def mean_of(self, weight):
        return self.state[weight].setdefault("mean", torch.zeros_like(weight))


class Uphill(Honest):
    def update(self, weight, gradient, group):
        super().update(weight, -gradient, group)


class FirstRow(Honest):
    def update(self, weight, gradient, group):
        kept = weight.flatten()[:1].clone()
        super().update(weight, gradient, group)
        weight.flatten()[:1] = kept


class NoneIsZero(Honest):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                self.update(weight, torch.zeros_like(weight) if weight.grad is None else weight.grad, group)


class OneDecay(Honest):
    def update(self, weight, gradient, group):
        super().update(weight, gradient, {**group, "weight_decay": self.defaults["weight_decay"]})


class FirstRate(Honest):
    def update(self, weight, gradient, group):
        super().update(weight, gradient, {**group, "lr": self.defaults["lr"]})


class Elsewhere(Honest):
    def mean_of(self, weight):
        if not hasattr(self, "means"):
            self.means = {}
        return self.means.setdefault(weight, torch.zeros_like(weight))


class Counting:
    """A schedule that counts its calls."""

    def __init__(self) -> None:
        self.calls = itertools.count(1)

    def __call__(self, step: int) -> float:
        return 1 / next(self.calls)


def _optimiser(made: type[Honest]) -> Any:
    def build(groups: list[dict[str, Any]], lr: float, weight_decay: float, /) -> torch.optim.Optimizer:
        return made(groups, lr, weight_decay)

    return build


def _schedule(make: Callable[[], Schedule]) -> Any:
    def build(steps: int, epochs: int, /) -> Schedule:
        return make()

    return build


UNKNOWN = {"xfail": {"no_law": "there is no such law"}}
OPTIMISERS = [
    animal("a_quadratic_is_reduced", _optimiser(Uphill)),
    animal(
        "every_weight_learns",
        _optimiser(FirstRow),
        (
            "the_rate_is_read_from_the_groups_at_each_step",
            "weight_decay_shrinks_every_weight_of_its_group_and_no_other",
        ),
    ),
    animal("a_weight_without_a_gradient_is_left_as_it_is", _optimiser(NoneIsZero)),
    animal("weight_decay_shrinks_every_weight_of_its_group_and_no_other", _optimiser(OneDecay)),
    animal("the_rate_is_read_from_the_groups_at_each_step", _optimiser(FirstRate)),
    animal("a_resumed_training_goes_on_to_the_same_weights", _optimiser(Elsewhere)),
    animal("declared_failures_are_laws", _optimiser(Honest), **UNKNOWN),
]
SCHEDULES = [
    animal("every_step_has_a_factor_between_0_and_1", _schedule(lambda: lambda step: 1.5)),
    animal("some_step_of_a_phase_learns", _schedule(lambda: lambda step: 0.0)),
    animal("a_factor_depends_on_the_step_alone", _schedule(Counting)),
    animal("declared_failures_are_laws", _schedule(lambda: lambda step: 1.0), **UNKNOWN),
]
HONEST_OPTIMISER = animal("honest", _optimiser(Honest))
HONEST_SCHEDULE = animal("honest", _schedule(lambda: lambda step: 1.0))
