"""Laws of optimisers and schedules.

A plugin's whole test file is

    from harness.testing import OptimiserLaws
    import my_plugin

    class TestMyOptimisers(OptimiserLaws):
        plugin = my_plugin
"""
# ruff: noqa: D102 (a law's name is its docstring)

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from harness.contract.components import Component
from harness.contract.types import Schedule
from harness.testing.contracts_models import Laws

_SHAPES = ((5, 20), (6,), (2, 3, 3, 3), ())


class OptimiserLaws(Laws):
    """Laws of optimisers, on the squared distance of some weights from 1. Set `plugin`.

    Args:
        lr: the learning rate at which a component learns.
        steps: number of steps in which the distance must be halved.
    """

    kind = "optimiser"
    hook = "harness_optimisers"
    lr: ClassVar[float] = 0.02
    steps: ClassVar[int] = 200

    def test_a_quadratic_is_reduced(self, component: Component[Any]) -> None:
        weights = _weights()
        before = _distance(weights)
        _run(self._over(component, weights), weights, self.steps)
        assert _distance(weights) < before / 2

    def test_every_weight_learns(self, component: Component[Any]) -> None:
        weights = _weights()
        before = _copies(weights)
        _run(self._over(component, weights), weights, 3)
        assert all((old != new).all() for old, new in zip(before, weights, strict=True))

    def test_a_weight_without_a_gradient_is_left_as_it_is(self, component: Component[Any]) -> None:
        weights = _weights()
        before = _copies(weights)
        _run(self._over(component, weights, decay=0.1), weights[1:], 3)
        assert torch.equal(weights[0], before[0]) and not torch.equal(weights[1], before[1])

    def test_weight_decay_shrinks_every_weight_of_its_group_and_no_other(self, component: Component[Any]) -> None:
        weights, others = _weights(), _weights()
        before = _copies(weights)
        groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
        optimiser: Optimizer = self.build(component, groups, self.lr, 0.1)
        for _ in range(3):
            for weight in (*weights, *others):
                weight.grad = torch.zeros_like(weight)
            optimiser.step()
        assert all((new.abs() < old.abs()).all() for old, new in zip(before, weights, strict=True))
        assert all(torch.allclose(old, new, rtol=1e-6) for old, new in zip(before, others, strict=True))

    def test_the_rate_is_read_from_the_groups_at_each_step(self, component: Component[Any]) -> None:
        weights, others = _weights(), _weights()
        first, second = self._over(component, weights), self._over(component, others)
        _run(first, weights, 2)
        _run(second, others, 2)
        for group in second.param_groups:
            group["lr"] = 10 * self.lr
        _run(first, weights, 2)
        _run(second, others, 2)
        assert not any(torch.equal(one, other) for one, other in zip(weights, others, strict=True))

    @pytest.mark.parametrize("stop", [1, 7])
    def test_a_resumed_training_goes_on_to_the_same_weights(self, component: Component[Any], stop: int) -> None:
        weights = _weights()
        optimiser = self._over(component, weights, decay=0.01)
        _run(optimiser, weights, stop)
        file = io.BytesIO()
        torch.save({"optimiser": optimiser.state_dict(), "weights": _copies(weights)}, file)
        saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
        others = [nn.Parameter(weight) for weight in saved["weights"]]
        resumed = self._over(component, others, decay=0.01)
        resumed.load_state_dict(saved["optimiser"])
        for step in range(9):
            _set_rate((optimiser, resumed), self.lr / (1 + step))
            _run(optimiser, weights, 1)
            _run(resumed, others, 1)
        assert all(torch.equal(one, other) for one, other in zip(weights, others, strict=True))

    def _over(self, component: Component[Any], weights: Sequence[nn.Parameter], decay: float = 0.0) -> Optimizer:
        made: Optimizer = self.build(component, [{"params": list(weights)}], self.lr, decay)
        return made


class ScheduleLaws(Laws):
    """Laws of schedules, on phases of several lengths. Set `plugin`."""

    kind = "schedule"
    hook = "harness_schedules"
    phases: ClassVar[tuple[tuple[int, int], ...]] = ((1, 1), (2, 2), (30, 6), (97, 1), (400, 40))

    def test_every_step_has_a_factor_between_0_and_1(self, component: Component[Any]) -> None:
        for steps, epochs in self.phases:
            factors = _factors(self.build(component, steps, epochs), range(steps))
            assert all(math.isfinite(factor) and 0 <= factor <= 1 + 1e-9 for factor in factors)

    def test_some_step_of_a_phase_learns(self, component: Component[Any]) -> None:
        for steps, epochs in self.phases:
            assert max(_factors(self.build(component, steps, epochs), range(steps))) > 0

    def test_a_factor_depends_on_the_step_alone(self, component: Component[Any]) -> None:
        """Check other orders of the steps and a new schedule for each."""
        for steps, epochs in self.phases:
            schedule: Schedule = self.build(component, steps, epochs)
            order = torch.randperm(steps, generator=torch.Generator().manual_seed(0)).tolist()
            expected = _factors(schedule, range(steps))
            assert _factors(schedule, order) == [expected[step] for step in order]
            assert [self.build(component, steps, epochs)(step) for step in range(steps)] == expected


def _weights() -> list[nn.Parameter]:
    """Return weights of several shapes; none is near 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(2 + torch.rand(shape, generator=generator)) for shape in _SHAPES]


def _copies(weights: Sequence[Tensor]) -> list[Tensor]:
    return [weight.detach().clone() for weight in weights]


def _distance(weights: Sequence[Tensor]) -> float:
    return sum(float((weight.detach() - 1).square().sum()) for weight in weights)


def _run(optimiser: Optimizer, weights: Sequence[nn.Parameter], steps: int) -> None:
    """Minimise the squared distance of the weights from 1."""
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward([(weight - 1).square().sum() for weight in weights])
        optimiser.step()


def _set_rate(optimisers: Sequence[Optimizer], lr: float) -> None:
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr


def _factors(schedule: Schedule, steps: Sequence[int]) -> list[float]:
    return [schedule(step) for step in steps]
