"""The study's optimiser and schedule, made from the catalog as [train] names them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
import torch

from harness import Component, Schedule, hookimpl
from harness.contract.loading.catalog import Catalog
from harness.trial.fit.schedule import Updates
from harness.trial.model.build import BuildError
from harness.trial.settings.training import TrainSettings


def _optimiser(catalog: Catalog, table: dict[str, Any], weights: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return Updates.of(TrainSettings.of(table), catalog).optimiser(weights)


def test_rates_are_the_factors_of_the_schedule_times_the_rate(tiny: Catalog) -> None:
    table = {"lr": 0.1, "schedule": {"use": "step", "every": 2, "factor": 0.5}}
    rate = Updates.of(TrainSettings.of(table), tiny).rates(6, 3)
    assert [rate(step) for step in range(6)] == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05]


@pytest.mark.parametrize("factor", [-0.5, math.nan, math.inf])
def test_a_factor_that_is_no_factor_is_named_with_its_schedule(tiny: Catalog, factor: float) -> None:
    def build_odd(steps: int, epochs: int, /) -> Schedule:
        return lambda step: factor

    class Odd:
        @hookimpl
        def harness_schedules(self) -> Iterable[Component[Schedule]]:
            yield Component(name="odd", build=build_odd, summary="s")

    tiny.register(Odd())
    rate = Updates.of(TrainSettings.of({"schedule": "odd"}), tiny).rates(6, 3)
    with pytest.raises(ValueError, match=f"the schedule 'odd' gives the factor {factor} at step 4 of 6"):
        rate(4)


def test_what_is_not_installed_makes_no_updates(tiny: Catalog) -> None:
    table = {"optimiser": {"use": "lionn"}, "schedule": {"use": "step", "evry": 2}}
    with pytest.raises(BuildError) as caught:
        Updates.of(TrainSettings.of(table), tiny)
    assert str(caught.value).splitlines() == [
        "train.optimiser.use: no optimiser named 'lionn'; did you mean 'lion'?",
        "train.schedule.evry: 'step' takes every, factor; did you mean 'every'?",
    ]


def test_optimisers_take_their_settings(tiny: Catalog) -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    table = {"lr": 0.1, "weight_decay": 0.01, "optimiser": {"use": "sgd", "momentum": 0.5, "nesterov": True}}
    found = _optimiser(tiny, table, parameters).param_groups[0]
    assert (found["lr"], found["momentum"], found["nesterov"], found["weight_decay"]) == (0.1, 0.5, True, 0.01)
    adam = _optimiser(tiny, {"optimiser": {"use": "adamw", "betas": [0.8, 0.9]}}, parameters)
    assert type(adam) is torch.optim.AdamW
    assert adam.param_groups[0]["betas"] == (0.8, 0.9)


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_fused_update_differs_in_rounding_alone(tiny: Catalog, name: str, kind: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    start, grads = (
        torch.randn(40, generator=generator, dtype=kind),
        torch.randn(20, 40, generator=generator, dtype=kind),
    )
    table = {"lr": 0.01, "weight_decay": 0.1, "optimiser": {"use": name}}
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    fused = _optimiser(tiny, table, iter([ours]))
    plain = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]([theirs], 0.01, weight_decay=0.1, fused=False)
    for gradient in grads:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        fused.step()
        plain.step()
    assert fused.param_groups[0]["fused"] is True
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(ours, start, atol=0.01)


def test_only_floating_weights_on_the_cpu_are_updated_in_one_kernel(tiny: Catalog) -> None:
    for weight in (torch.zeros(1, device="meta"), torch.zeros(1, dtype=torch.complex64)):
        assert _optimiser(tiny, {}, [torch.nn.Parameter(weight)]).param_groups[0]["fused"] is None


def test_a_state_that_an_unfused_adam_left_goes_on_as_it_was(tiny: Catalog) -> None:
    def stepped(optimiser: torch.optim.Optimizer, weight: torch.nn.Parameter) -> torch.optim.Optimizer:
        weight.grad = torch.full_like(weight, 0.5)
        optimiser.step()
        return optimiser

    old, new = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    earlier = stepped(torch.optim.Adam([old], 1e-3), old)
    resumed = _optimiser(tiny, {}, [new])
    resumed.load_state_dict(earlier.state_dict())
    new.data.copy_(old.data)
    stepped(earlier, old)
    stepped(resumed, new)
    assert torch.equal(old, new)
