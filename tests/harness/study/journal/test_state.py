"""The reducer: what a study's state is after events, and what of it remains where trials are not kept."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.study.journal.journal as kinds
from harness.contract.types import WEIGHTS, TrialSpec
from harness.study.journal.journal import Event
from harness.study.journal.state import HANDED_OUT, SPACE_EXHAUSTED, StudyState


def spec_of(number: int, stage: Any = "search", seed: int = 0) -> TrialSpec:
    names = {"study": "s", "study_id": "s", "budget": "b", "variant": "a", "variant_id": "a" * 16}
    tree = {"dataset": {}, "train": {}, "model": {}}
    return TrialSpec(**names, stage=stage, number=number, seed=seed, tree=tree)


def asked(spec: TrialSpec) -> Event:
    return event(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))


def event(kind: str, time: float = 1.0, **data: Any) -> Event:
    return Event(kind, time, data)


def started(trial: str) -> Event:
    return event(kinds.TRIAL_STARTED, trial=trial, pid=1)


def epoch(trial: str, number: int, value: float = 0.5) -> Event:
    return event(kinds.EPOCH, trial=trial, number=number, metrics={}, value=value, smoothed=value)


def finished(trial: str, state: str = "complete", value: float = 0.5, **values: Any) -> Event:
    return event(kinds.TRIAL_FINISHED, trial=trial, state=state, value=value, **values)


def interrupted(trial: str, **died: bool) -> Event:
    return event(kinds.TRIAL_INTERRUPTED, trial=trial, reason="Ctrl-C", **died)


def run(time: float = 0.0) -> Event:
    return event(kinds.STUDY_STARTED, time, plan={"study": "s"}, host="here")


FIRST = spec_of(0)


def test_an_epoch_that_a_resumed_trial_repeats_replaces_what_followed_it() -> None:
    state = StudyState.of([run(), asked(FIRST), *(epoch(FIRST.id, number) for number in (1, 2, 3, 2))])
    record = state.trials[FIRST.id]
    assert [item.number for item in record.epochs] == [1, 2] and record.furthest == 3


def test_the_first_end_of_a_trial_counts() -> None:
    state = StudyState.of([run(), asked(FIRST), finished(FIRST.id, value=0.4), finished(FIRST.id, "failed", 0.9)])
    assert state.trials[FIRST.id].state == "complete"
    assert state.tally(FIRST.variant_id).ended == {("search", "complete"): 1}


def test_deaths_add_up_and_other_interruptions_are_none() -> None:
    events = [run(), asked(FIRST), started(FIRST.id), interrupted(FIRST.id), interrupted(FIRST.id, died=True)]
    record = StudyState.of(events).trials[FIRST.id]
    assert (record.deaths, record.interrupted, record.running) == (1, True, False)
    again = record.after(started(FIRST.id))
    assert again.running and not again.interrupted and not record.running, "a record is never changed"


def test_trials_that_are_out_come_back_behind_those_that_wait_and_a_new_run_takes_all_back() -> None:
    specs = [spec_of(number) for number in range(3)]
    state = StudyState.of([run(), *map(asked, specs)])
    one, two, three = (spec.id for spec in specs)
    for name in (one, two):
        state.apply(event(HANDED_OUT, trial=name))
    assert (state.waiting, state.out) == ([three], [one, two])
    state.apply(interrupted(two))
    assert (state.waiting, state.out) == ([three, two], [one])
    state.apply(run())
    assert (state.waiting, state.out) == ([one, two, three], [])
    state.apply(finished(two))
    assert state.waiting == [one, three]


def test_a_confirmation_that_is_measured_again_has_both_metrics_and_keeps_its_weights() -> None:
    spec = spec_of(0, "confirm")
    first = finished(spec.id, metrics={"test/auroc": 0.8}, files=["maps.parquet", WEIGHTS])
    again = {"metrics": {"test/dice": 0.3}, "files": ["predictions.parquet"], "names": ["auroc", "dice"], "explain": {}}
    state = StudyState.of([run(), asked(spec), first, event(kinds.TRIAL_MEASURED, trial=spec.id, **again)])
    record = state.trials[spec.id]
    assert record.result is not None and record.result.metrics == {"test/auroc": 0.8, "test/dice": 0.3}
    assert set(record.result.files) == {WEIGHTS, "predictions.parquet"} and record.spec.metrics == ("auroc", "dice")


def test_events_of_unknown_trials_and_kinds_change_no_trial() -> None:
    state = StudyState.of([run(), asked(FIRST)])
    before = dict(state.trials)
    assert state.apply(epoch("gone", 1)) is None and state.apply(event("note", trial=FIRST.id)) == before[FIRST.id]
    assert state.trials == before


def test_a_study_is_finished_until_it_is_run_again() -> None:
    state = StudyState.of([run(), event(kinds.STUDY_FINISHED)])
    assert state.finished and (state.status, state.attempts) == ("finished", 1)
    state.apply(run())
    assert not state.finished and (state.status, state.attempts) == ("starting", 2)
    state.apply(event(kinds.STUDY_PAUSED, reason="Ctrl-C"))
    assert state.status == "paused"


def test_the_time_between_two_runs_is_no_part_of_its_duration() -> None:
    events = [run(10.0), asked(FIRST), event(kinds.STUDY_PAUSED, 14.0, reason="night"), run(100.0)]
    assert StudyState.of([*events, event(kinds.STUDY_FINISHED, 103.0)]).seconds == pytest.approx(7.0)


def test_an_exhausted_space_is_known_by_its_variant() -> None:
    state = StudyState()
    state.apply(event(SPACE_EXHAUSTED, variant_id="a"))
    assert state.exhausted == {"a"}


VALUES = st.one_of(st.floats(0, 1), st.just(math.nan))
TRIALS = st.tuples(
    st.sampled_from(["search", "confirm"]), st.sampled_from(["complete", "pruned", "failed"]), VALUES, st.booleans()
)


@settings(max_examples=40, deadline=None)
@given(st.lists(TRIALS, max_size=12))
def test_a_state_that_keeps_open_trials_alone_counts_as_one_that_keeps_all(trials: list[Any]) -> None:
    everything, small = StudyState(), StudyState(keep="open")
    numbers = {"search": 0, "confirm": 0}
    open_trials = set[str]()
    for stage, state, value, ends in trials:
        spec = spec_of(numbers[stage], stage, seed=numbers[stage])
        numbers[stage] += 1
        events = [asked(spec), started(spec.id), epoch(spec.id, 1, value)]
        if ends:
            events.append(finished(spec.id, state, value, metrics={"test/auroc": value}))
        else:
            open_trials.add(spec.id)
        for item in events:
            assert str(small.apply(item)) == str(everything.apply(item)), "what an event is about is whole in both"
    for key in everything.tallies:
        mine, theirs = small.tally(key), everything.tally(key)
        assert (mine.ended, str(mine.best), str(mine.best_epoch)) == (
            theirs.ended,
            str(theirs.best),
            str(theirs.best_epoch),
        )
    kept = {record.spec.id for record in small.trials.values() if record.spec.stage == "search"}
    assert kept == {trial for trial in open_trials if "-search-" in trial}
    confirmed = small.of_variant("a" * 16, "confirm")
    assert [record.spec for record in confirmed] == [r.spec for r in everything.of_variant("a" * 16, "confirm")]


def test_a_thousand_ended_trials_leave_nothing_but_numbers() -> None:
    state = StudyState(keep="open")
    for number in range(1000):
        spec = spec_of(number)
        for item in (asked(spec), epoch(spec.id, 1), finished(spec.id)):
            state.apply(item)
    assert not state.trials and not state.waiting and not state.of_variant(FIRST.variant_id, "search")
    assert state.tally(FIRST.variant_id).ended == {("search", "complete"): 1000}
    assert len(state.tallies) == len(state._ids) == 1
