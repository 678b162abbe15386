"""Learning rates against torch's own schedulers, step by step."""

from __future__ import annotations

import pytest
import torch
from torch.optim import lr_scheduler

from harness.trial.fit.schedule import make_optimiser, rate
from harness.trial.settings.training import TrainSettings

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


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_the_fused_update_differs_in_rounding_alone(name: str, kind: torch.dtype):
    generator = torch.Generator().manual_seed(0)
    start, grads = (
        torch.randn(40, generator=generator, dtype=kind),
        torch.randn(20, 40, generator=generator, dtype=kind),
    )
    table = {"lr": 0.01, "weight_decay": 0.1, "optimiser": {"use": name}}
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    fused = make_optimiser(TrainSettings.of(table), iter([ours]))
    plain = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]([theirs], 0.01, weight_decay=0.1, fused=False)
    for gradient in grads:
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        fused.step()
        plain.step()
    assert fused.param_groups[0]["fused"] is True
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(ours, start, atol=0.01)


def test_only_floating_weights_on_the_cpu_are_updated_in_one_kernel():
    settings = TrainSettings.of({})
    for weight in (torch.zeros(1, device="meta"), torch.zeros(1, dtype=torch.complex64)):
        assert make_optimiser(settings, [torch.nn.Parameter(weight)]).param_groups[0]["fused"] is None


def test_a_state_that_an_unfused_adam_left_goes_on_as_it_was():
    def stepped(optimiser: torch.optim.Optimizer, weight: torch.nn.Parameter) -> torch.optim.Optimizer:
        weight.grad = torch.full_like(weight, 0.5)
        optimiser.step()
        return optimiser

    old, new = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    earlier = stepped(torch.optim.Adam([old], 1e-3), old)
    resumed = make_optimiser(TrainSettings.of({}), [new])
    resumed.load_state_dict(earlier.state_dict())
    new.data.copy_(old.data)
    stepped(earlier, old)
    stepped(resumed, new)
    assert torch.equal(old, new)
