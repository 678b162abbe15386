"""The [train] table: what it takes by default, and that it converts nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.contract.components import Use
from harness.trial.settings.training import TrainSettings


def test_an_empty_table_is_plain_adam_at_a_constant_rate() -> None:
    settings = TrainSettings.of({})
    assert (settings.optimiser, settings.schedule) == (Use("adam"), Use("constant"))
    assert (settings.augment, settings.amp) == ((), "off")


def test_a_table_says_which_optimiser_and_schedule() -> None:
    table = {"optimiser": {"use": "sgd", "momentum": 0.5}, "schedule": {"use": "one_cycle"}, "augment": ["flip"]}
    settings = TrainSettings.of(table)
    assert settings.optimiser == Use("sgd", {"momentum": 0.5})
    assert settings.schedule == Use("one_cycle")
    assert settings.augment == ("flip",)


def test_an_int_is_a_float_and_nothing_else_is_converted() -> None:
    assert TrainSettings.of({"lr": 1}).lr == 1.0
    wrong: list[dict[str, Any]] = [{"epochs": 3.0}, {"epochs": "3"}, {"epochs": True}, {"lr": "0.1"}]
    for table in wrong:
        with pytest.raises(ValidationError):
            TrainSettings.of(table)


@pytest.mark.parametrize(
    "table",
    [
        {"lr": 0.0},
        {"lr": -1e-3},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"epochs": -1},
        {"batch_size": 0},
        {"weight_decay": -1e-9},
        {"clip": 0.0},
        {"early_stop": {"patience": 0}},
        {"augment": ["flip", "flip"]},
        {"batchsize": 3},
    ],
)
def test_what_is_out_of_range_or_unknown_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainSettings.of(table)


def test_the_ends_of_the_ranges_are_taken() -> None:
    table = {"epochs": 1, "batch_size": 1, "weight_decay": 0, "optimiser": {"use": "sgd", "momentum": 0.0}}
    assert TrainSettings.of(table).weight_decay == 0
