"""Optimisers and schedules that break a law are caught by it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch

from harness import Component, Schedule, hookimpl
from harness.testing.contracts_training import OptimiserLaws, ScheduleLaws


class Uphill(torch.optim.SGD):
    """Goes the wrong way."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, decay: float) -> None:
        super().__init__(groups, lr, weight_decay=decay, maximize=True)


class Forgetful(torch.optim.SGD):
    """Keeps its momentum outside its state, and the rate and the groups that it began with."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, decay: float) -> None:
        super().__init__(groups, lr, momentum=0.9)
        self.rate, self.decay, self.means = lr, decay, dict[int, torch.Tensor]()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for weight in group["params"][:-1]:
                gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
                mean = self.means.setdefault(id(weight), torch.zeros_like(weight))
                mean.mul_(0.9).add_(gradient + self.decay * weight)
                weight.sub_(mean, alpha=self.rate)


class Counting:
    """A schedule that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, step: int) -> float:
        self.calls += 1
        return 1 / self.calls


def builder(kind: Any) -> Any:
    return lambda groups, lr, decay, /: kind(groups, lr, decay)


class Broken:
    @hookimpl
    def harness_optimisers(self) -> Iterable[Component[Any]]:
        for name, kind in (("uphill", Uphill), ("forgetful", Forgetful)):
            yield Component(name=name, build=builder(kind), summary="")

    @hookimpl
    def harness_schedules(self) -> Iterable[Component[Any]]:
        yield Component(name="counting", build=lambda steps, epochs, /: Counting(), summary="")
        yield Component(name="above", build=lambda steps, epochs, /: _constant(1.5), summary="")
        yield Component(name="none", build=lambda steps, epochs, /: _constant(0.0), summary="")


PLUGIN = Broken()


def _constant(factor: float) -> Schedule:
    return lambda step: factor


def _caught(laws: Any, law: str, hook: str, name: str, *arguments: Any) -> None:
    laws.plugin = PLUGIN
    (component,) = [item for item in getattr(PLUGIN, hook)() if item.name == name]
    with pytest.raises(AssertionError):
        getattr(laws, f"test_{law}")(component, *arguments)


@pytest.mark.parametrize(
    ("name", "law", "arguments"),
    [
        ("uphill", "a_quadratic_is_reduced", ()),
        ("forgetful", "every_weight_learns", ()),
        ("forgetful", "a_weight_without_a_gradient_is_left_as_it_is", ()),
        ("forgetful", "weight_decay_shrinks_every_weight_of_its_group_and_no_other", ()),
        ("forgetful", "the_rate_is_read_from_the_groups_at_each_step", ()),
        ("forgetful", "a_resumed_training_goes_on_to_the_same_weights", (7,)),
    ],
)
def test_an_optimiser_that_breaks_a_law_is_caught(name: str, law: str, arguments: tuple[Any, ...]) -> None:
    _caught(OptimiserLaws(), law, "harness_optimisers", name, *arguments)


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("counting", "a_factor_depends_on_the_step_alone"),
        ("above", "every_step_has_a_factor_between_0_and_1"),
        ("none", "some_step_of_a_phase_learns"),
    ],
)
def test_a_schedule_that_breaks_a_law_is_caught(name: str, law: str) -> None:
    _caught(ScheduleLaws(), law, "harness_schedules", name)
