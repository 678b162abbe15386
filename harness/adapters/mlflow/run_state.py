"""What a journal said so far, as much as later events need: small, so that a thousand trials cost no memory. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.contract.types import Plan, Run, run_of
from harness.study.journal.journal import (
    EPOCH,
    STUDY_STARTED,
    TRIAL_ASKED,
    TRIAL_FINISHED,
    TRIAL_INTERRUPTED,
    TRIAL_MEASURED,
    TRIAL_STARTED,
    Event,
)
from harness.study.journal.plan_io import plan_from_json

Repeat = Run
"""Seed and fold of a retraining; see `harness.contract.types.Run` for what is not trained."""


@dataclass(frozen=True)
class Trial:
    """A trial that has not ended, or a confirmation; `epochs` is the last one it told."""

    variant: str
    stage: str
    repeat: Repeat
    epochs: int = 0
    interrupted: bool = False


@dataclass
class Variant:
    """What a variant's ended trials came to.

    Args:
        states: (stage, state) -> how many.
        values: of complete search trials, in order.
        confirmed: (seed, fold) -> metrics of the confirmed model.
    """

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    values: list[float] = field(default_factory=list)
    confirmed: dict[Repeat, Mapping[str, float]] = field(default_factory=dict)


@dataclass
class Seen:
    """The state after some events."""

    plan: Plan | None = None
    attempts: int = 0
    ended: float = 0.0
    trials: dict[str, Trial] = field(default_factory=dict)
    variants: dict[str, Variant] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Takes one more event in."""
        name, self.ended = event.data.get("trial", ""), event.time
        trial = self.trials.get(name)
        if event.kind == STUDY_STARTED:
            self.plan, self.attempts = plan_from_json(event.data["plan"]), self.attempts + 1
        elif event.kind == TRIAL_ASKED:
            spec = event.data["spec"]
            run = run_of(spec["tree"], spec.get("params", {}), spec["seed"], spec.get("fold"))
            self.trials[name] = Trial(spec["variant_id"], spec["stage"], run)
        elif trial is None:
            return
        elif event.kind == TRIAL_STARTED:
            self.trials[name] = replace(trial, interrupted=False)
        elif event.kind == EPOCH:
            self.trials[name] = replace(trial, epochs=max(trial.epochs, event.data["number"]))
        elif event.kind == TRIAL_INTERRUPTED:
            self.trials[name] = replace(trial, interrupted=True)
        elif event.kind == TRIAL_FINISHED:
            self._end(trial, event)
            if trial.stage == "search":  # a confirmation may be measured again, later
                del self.trials[name]
        elif event.kind == TRIAL_MEASURED:
            confirmed = self.variants[trial.variant].confirmed
            confirmed[trial.repeat] = {**confirmed[trial.repeat], **event.data["metrics"]}

    def _end(self, trial: Trial, event: Event) -> None:
        variant = self.variants.setdefault(trial.variant, Variant())
        state = event.data["state"]
        variant.states[trial.stage, state] += 1
        value = event.data.get("value")
        if trial.stage == "search" and state == "complete" and value is not None and not math.isnan(value):
            variant.values.append(value)
        if trial.stage == "confirm" and state == "complete":
            variant.confirmed[trial.repeat] = event.data["metrics"]
