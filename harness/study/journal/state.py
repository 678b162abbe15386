"""The state of a study: the events of its journal, reduced one by one. Reads and writes no file.

`StudyState.apply` is the only function that changes a state; policy, results, display, MLflow and doctor read it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.contract.types import TrialResult, TrialSpec
from harness.study.journal.journal import (
    EPOCH,
    STUDY_FINISHED,
    STUDY_PAUSED,
    STUDY_STARTED,
    TRIAL_ASKED,
    TRIAL_INTERRUPTED,
    TRIAL_STARTED,
    Event,
)
from harness.study.journal.trial_record import TrialRecord

HANDED_OUT = "handed_out"
"""data: `trial`: a tuner has it. Never written: no tuner has a trial when a run begins."""
SPACE_EXHAUSTED = "space_exhausted"
"""data: `variant_id`: its sampler has no other configuration. Never written: the next run asks again."""


@dataclass
class Tally:
    """Numbers of a variant that remain when its trials are no longer kept.

    Args:
        ended: (stage, state) -> number of trials.
        best: value of the best complete search trial.
        best_epoch: best smoothed value of any epoch of its search.
    """

    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    best: float = math.nan
    best_epoch: float = math.nan


@dataclass
class StudyState:
    """What is known of a study after some events.

    Args:
        keep: what remains of a trial after its end: "all"; "trials", without their epochs; or "open", where
            ended search trials are dropped too, so that memory does not grow with their number.
        plan: JSON of the latest run's plan.
        attempts: runs so far.
        status: of the latest run.
        began: when the latest run began its first trial.
        time: of the last event.
        seconds: duration of all runs; the time between two runs is left out.
        hosts: machines on which a run was started.
        trials: id -> record, in the order they were asked.
        waiting: ids of trials to hand out, in this order.
        out: ids of trials that a tuner has.
        exhausted: ids of variants whose sampler has no other configuration.
        tallies: variant id -> its numbers.
    """

    keep: Literal["all", "trials", "open"] = "all"
    plan: Mapping[str, Any] | None = None
    attempts: int = 0
    status: Literal["starting", "running", "paused", "finished"] = "starting"
    began: float | None = None
    time: float = 0.0
    seconds: float = 0.0
    hosts: set[str] = field(default_factory=set)
    trials: dict[str, TrialRecord] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    out: list[str] = field(default_factory=list)
    exhausted: set[str] = field(default_factory=set)
    tallies: dict[str, Tally] = field(default_factory=dict)
    _ids: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event]) -> StudyState:
        """Return the state after all these events; everything is kept."""
        state = cls()
        for event in events:
            state.apply(event)
        return state

    @property
    def finished(self) -> bool:
        """True if every trial of the latest plan has ended."""
        return self.status == "finished"

    def of_variant(self, variant_id: str, stage: str) -> list[TrialRecord]:
        """Return the kept trials of one variant and stage, by number."""
        return [self.trials[name] for name in self._ids.get((variant_id, stage), ())]

    def tally(self, variant_id: str) -> Tally:
        """Return the numbers of a variant."""
        return self.tallies.setdefault(variant_id, Tally())

    def apply(self, event: Event) -> TrialRecord | None:
        """Take one event in.

        Returns:
            The record of the event's trial, complete even if it is not kept; None where there is no such trial.
        """
        self.seconds += 0.0 if event.kind == STUDY_STARTED else event.time - self.time
        self.time, name = event.time, event.data.get("trial", "")
        if event.kind == TRIAL_ASKED:
            self._ask(TrialRecord(TrialSpec.from_json(json.dumps(event.data["spec"]))))
        before = self.trials.get(name)
        if before is None:
            self._study_changes(event)
            return None
        after = self.trials[name] = before.after(event)
        if event.kind == TRIAL_STARTED:
            self.status, self.began = "running", self.began or event.time
        elif event.kind == HANDED_OUT:
            self.waiting.remove(name)
            self.out.append(name)
        elif event.kind == TRIAL_INTERRUPTED and name in self.out:
            self.out.remove(name)
            self.waiting.append(name)
        elif event.kind == EPOCH and after.spec.stage == "search":
            tally, value = self.tally(after.spec.variant_id), after.epochs[-1].smoothed
            tally.best_epoch = value if after.spec.objective.better(value, tally.best_epoch) else tally.best_epoch
        elif after.result and not before.result:
            self._end(after, after.result)
        return after

    def _study_changes(self, event: Event) -> None:
        if event.kind == STUDY_STARTED:
            self.plan, self.attempts = event.data["plan"], self.attempts + 1
            self.status, self.began = "starting", None
            self.hosts.add(event.data["host"])
            self.waiting, self.out = [name for name, record in self.trials.items() if not record.result], []
        elif event.kind in (STUDY_PAUSED, STUDY_FINISHED):
            self.status = "paused" if event.kind == STUDY_PAUSED else "finished"
        elif event.kind == SPACE_EXHAUSTED:
            self.exhausted.add(event.data["variant_id"])

    def _ask(self, record: TrialRecord) -> None:
        spec = record.spec
        self.trials[spec.id] = record
        self.waiting.append(spec.id)
        self._ids.setdefault((spec.variant_id, spec.stage), []).append(spec.id)

    def _end(self, record: TrialRecord, result: TrialResult) -> None:
        spec, tally = record.spec, self.tally(record.spec.variant_id)
        tally.ended[spec.stage, result.state] += 1
        if spec.stage == "search" and result.state == "complete" and spec.objective.better(result.value, tally.best):
            tally.best = result.value
        (self.out if spec.id in self.out else self.waiting).remove(spec.id)
        if self.keep != "all":
            self.trials[spec.id] = replace(record, epochs=())
        if self.keep == "open" and spec.stage == "search":  # a confirmation may be measured again, later
            del self.trials[spec.id]
            self._ids[spec.variant_id, spec.stage].remove(spec.id)
