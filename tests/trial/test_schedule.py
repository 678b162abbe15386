"""Learning rates against torch's own schedulers, step by step."""

from __future__ import annotations

import pytest
import torch
from torch.optim import lr_scheduler

from harness.trial.schedule import make_optimiser, rate
from harness.trial.settings import TrainSettings

EPOCHS, PER_EPOCH = 6, 5
STEPS = EPOCHS * PER_EPOCH


def _theirs(make) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    scheduler, rates = make(optimiser), []
    for _ in range(STEPS):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def _ours(table: dict) -> list[float]:
    schedule = TrainSettings.of({"epochs": EPOCHS, "schedule": table}).schedule
    return [rate(schedule, step, STEPS, EPOCHS) for step in range(STEPS)]


REFERENCES = {
    "constant": ({"use": "constant"}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": ({"use": "step", "every": 2, "factor": 0.5}, lambda o: lr_scheduler.StepLR(o, 2 * PER_EPOCH, 0.5)),
    "cosine": ({"use": "cosine", "floor": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, 0.1)),
    "one_cycle": (
        {"use": "one_cycle"},
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=STEPS + 0, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one_cycle"])
@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
def test_rates_are_those_of_torch(name: str):
    table, reference = REFERENCES[name]
    assert _ours(table) == pytest.approx(_theirs(reference), abs=1e-6)


def test_warm_up_rises_to_the_full_rate_and_then_falls():
    rates = _ours({"use": "cosine", "warmup": 0.2})
    assert rates[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert rates[6:] == sorted(rates[6:], reverse=True)


@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one_cycle"])
def test_one_epoch_of_one_step_has_a_rate(name: str):
    schedule = TrainSettings.of({"schedule": {"use": name}}).schedule
    assert 0 <= rate(schedule, 0, 1, 1) <= 1


def test_optimisers_take_their_settings():
    parameters = [torch.nn.Parameter(torch.zeros(1))]
    table = {"lr": 0.1, "weight_decay": 0.01, "optimiser": {"use": "sgd", "momentum": 0.5, "nesterov": True}}
    found = make_optimiser(TrainSettings.of(table), parameters).param_groups[0]
    assert (found["lr"], found["momentum"], found["nesterov"], found["weight_decay"]) == (0.1, 0.5, True, 0.01)
    adam = make_optimiser(TrainSettings.of({"optimiser": {"use": "adamw", "betas": [0.8, 0.9]}}), parameters)
    assert type(adam) is torch.optim.AdamW
    assert adam.param_groups[0]["betas"] == (0.8, 0.9)
