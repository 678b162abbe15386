"""Conversion of trials between the journal and Optuna. Pure: reads no database."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from harness.config import space
from harness.contract.types import VariantPlan
from harness.study.journal.trial_record import TrialRecord

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
NAMES = {state: name for name, state in STATES.items()}
"""States of the journal by those of Optuna, and back; a trial that has not ended is "running"."""


class _Replay:
    """A trial with given parameters, which collects their distributions."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.distributions[name] = FloatDistribution(low, high, log=log, step=step)
        return float(self._params[name])

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.distributions[name] = IntDistribution(low, high, log=log, step=step)
        return int(self._params[name])

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.distributions[name] = CategoricalDistribution(choices)
        return self._params[name]


def template(variant: VariantPlan, record: TrialRecord) -> FrozenTrial:
    """Return a running trial with the parameters of the record; its end is added later."""
    replay = _Replay(record.spec.params)
    space.sample(variant.tree, replay)
    return optuna.trial.create_trial(
        state=TrialState.RUNNING, params=dict(record.spec.params), distributions=replay.distributions
    )


def agree(trials: list[FrozenTrial], records: list[TrialRecord]) -> bool:
    """Return True if the database has no trial and no end that the journal lacks."""
    for trial, record in zip(trials, records, strict=False):
        ended = STATES[record.state] if record.result else None
        if trial.params != dict(record.spec.params) or (trial.state.is_finished() and trial.state != ended):
            return False
    return not any(trial.state.is_finished() for trial in trials[len(records) :])


def steps(record: TrialRecord) -> dict[int, float]:
    """Return the values by epoch that Optuna stores; NaN is left out."""
    return {epoch.number: epoch.smoothed for epoch in record.epochs if not math.isnan(epoch.smoothed)}


def attributes(record: TrialRecord) -> dict[str, Any]:
    """Return the links of the trial to the journal and to tracking, and the reason of a failure."""
    assert record.result is not None
    reason = {"reason": record.result.reason} if record.result.reason else {}
    return {"trial": record.spec.id, "epochs": record.result.epochs, **reason}
