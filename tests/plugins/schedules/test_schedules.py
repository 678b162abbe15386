"""The built-in schedules keep the laws, and their rates are those of torch's own schedulers, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

import harness_schedules
from harness.testing import laws_for

EPOCHS, PER_EPOCH = 6, 5
STEPS = EPOCHS * PER_EPOCH
COMPONENTS = {item.name: item for item in harness_schedules.harness_schedules()}


test_laws = laws_for(harness_schedules)


def _theirs(make: Callable[[torch.optim.Optimizer], Any]) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    scheduler, rates = make(optimiser), []
    for _ in range(STEPS):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def _ours(name: str, **params: Any) -> list[float]:
    schedule = COMPONENTS[name].build(STEPS, EPOCHS, **params)
    return [schedule(step) for step in range(STEPS)]


REFERENCES: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "constant": ({}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": ({"every": 2, "factor": 0.5}, lambda o: lr_scheduler.StepLR(o, 2 * PER_EPOCH, 0.5)),
    "cosine": ({"floor": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.1)),
    "one_cycle": ({}, lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=STEPS, cycle_momentum=False)),
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
def test_rates_are_those_of_torch(name: str) -> None:
    params, reference = REFERENCES[name]
    assert _ours(name, **params) == pytest.approx(_theirs(reference), abs=1e-6)


def test_warm_up_rises_to_the_full_rate_and_then_falls() -> None:
    rates = _ours("cosine", warmup=0.2)
    assert rates[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert rates[6:] == sorted(rates[6:], reverse=True)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        (
            "step",
            {"every": 0, "factor": 0.0},
            "`every >= 1` .* every=0; `0 < factor <= 1` .* factor=0.0.",
        ),
        ("cosine", {"warmup": 1.0, "floor": 0.0}, "`0 <= warmup < 1` must hold, but got warmup=1.0."),
        ("one_cycle", {"rise": 0.0, "start": 0.5}, "`0 < rise < 1` .*; `start >= 1` must hold, but got start=0.5."),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        COMPONENTS[name].facts(**params)
