"""The laws of the policy, on states alone: no file, no process, no sampler and no clock."""

from __future__ import annotations

import copy
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.study.journal.journal as kinds
from harness.contract.types import Epoch, Objective, Plan, TrialResult, TrialSpec
from harness.study.journal.journal import Event
from harness.study.journal.progress import Progress
from harness.study.journal.state import HANDED_OUT, SPACE_EXHAUSTED, StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.run import policy
from harness.study.run.policy import DEATHS, Ask, Done, Start, Step, Wait, next_step
from harness.study.run.tuning import Configuration
from harness.testing.scripted import scripted_plan

SEARCHED = {"quality": {"float": [0.0, 1.0]}}
QUALITIES = [(number * 7 % 10) / 10 for number in range(10)]
"""What trial 0, 1, … of a search has: 0, 0.7, 0.4, 0.1, 0.8, …"""


class Simulation:
    """A study in memory: each step of the policy becomes events, and so does each end of a trial.

    Args:
        plan: what is to be run.
        size: number of configurations of each space.
    """

    def __init__(self, plan: Plan, size: int = 1000) -> None:
        self.plan, self.state, self.size = plan, StudyState(), size
        self.journal: list[Event] = []
        self.handed: list[TrialSpec] = []
        self.begin()

    def add(self, kind: str, **data: Any) -> None:
        event = Event(kind, float(len(self.journal)), data)
        if kind not in (HANDED_OUT, SPACE_EXHAUSTED):
            self.journal.append(event)
        self.state.apply(event)

    def begin(self) -> None:
        self.add(kinds.STUDY_STARTED, plan=None, host="here")

    def killed(self) -> None:
        """Forget all but the journal, as a driver that is killed does."""
        self.state = StudyState.of(self.journal)
        self.begin()

    def step(self) -> Step:
        """Take one step, and answer for the sampler."""
        step = next_step(self.plan, self.state)
        if isinstance(step, Ask) and step.params is None and step.number >= self.size:
            self.add(SPACE_EXHAUSTED, variant_id=step.variant.id)
        elif isinstance(step, Ask):
            step = Start(policy.search_spec(self.plan, step, sampled(step)))
        if isinstance(step, Start):
            self.handed.append(spec := step.spec)
            if spec.id not in self.state.trials:
                self.add(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))
            self.add(HANDED_OUT, trial=spec.id)
            self.add(kinds.TRIAL_STARTED, trial=spec.id, pid=1)
            smoothed = float(spec.tree["model"]["quality"])
            self.add(kinds.EPOCH, trial=spec.id, number=1, metrics={}, value=0.5, smoothed=smoothed)
        return step

    def end(self, trial: str, end: TrialResult | str) -> None:
        """End a trial: with a result, or "prune", "interrupt" or "die"."""
        record = self.state.trials[trial]
        if end == "prune":
            end = (
                policy.pruned(record, self.plan.objective)
                if Progress(self.plan, self.state).prunable(record.spec)
                else ""
            )
        if end == "die":
            end = policy.lost(record, "killed") or "died"
        if end == "":
            end = complete(record.spec)
        if isinstance(end, TrialResult):
            result = policy.counted(record.spec, end)
            names = ("state", "value", "reason", "epochs", "best_epoch")
            self.add(kinds.TRIAL_FINISHED, trial=trial, **{name: getattr(result, name) for name in names})
        else:
            self.add(kinds.TRIAL_INTERRUPTED, trial=trial, reason=end, died=end == "died")

    def run(self, end: Callable[[TrialSpec], TrialResult | str] | None = None) -> list[TrialSpec]:
        """Run to the end, one trial at a time; return all that were handed out."""
        for trial in list(self.state.out):
            self.end(trial, complete(self.state.trials[trial].spec))
        while not isinstance(step := self.step(), Done):
            assert not isinstance(step, Wait), "nothing runs, so nothing can be waited for"
            if isinstance(step, Start):
                self.end(step.spec.id, end(step.spec) if end else complete(step.spec))
            assert len(self.handed) < 1000, "it goes on for ever"
        return self.handed


def sampled(ask: Ask) -> Configuration:
    params = ask.params or {"model.quality": QUALITIES[ask.number % 10]}
    tree = json.loads(json.dumps(ask.variant.tree))
    if ask.variant.searched:
        tree["model"]["quality"] = params["model.quality"]
    return Configuration(tree, dict(params) if ask.variant.searched else {})


def complete(spec: TrialSpec) -> TrialResult:
    return TrialResult(state="complete", value=float(spec.tree["model"]["quality"]), epochs=1)


def failed(reason: str) -> TrialResult:
    return TrialResult(state="failed", reason=reason)


def two(trials: int = 3, **changes: Any) -> Plan:
    return scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=trials, **changes)


def stages(handed: list[TrialSpec]) -> Mapping[str, int]:
    return Counter(spec.stage for spec in handed)


def qualities(handed: list[TrialSpec], stage: str) -> list[float]:
    return [spec.tree["model"]["quality"] for spec in handed if spec.stage == stage]


# One law at a time, on states that are written down


def test_variants_take_turns_and_the_best_trial_is_confirmed_once_a_seed() -> None:
    handed = Simulation(two(seeds=(4, 9))).run()
    assert [(spec.variant, spec.stage, spec.number) for spec in handed[:6]] == [
        (name, "search", number) for number in range(3) for name in "ab"
    ]
    assert [(spec.variant, spec.seed) for spec in handed[6:]] == [("a", 4), ("b", 4), ("a", 9), ("b", 9)]
    assert qualities(handed, "confirm") == 4 * [0.7]


def test_the_first_question_of_each_variant_is_for_trial_0_and_fixes_no_parameters() -> None:
    plan = two()
    assert next_step(plan, StudyState()) == Ask(plan.variants[0], 0)
    simulation = Simulation(plan)
    simulation.step()
    assert next_step(plan, simulation.state) == Ask(plan.variants[1], 0)


def test_while_trials_run_whose_ends_decide_there_is_nothing_to_hand_out() -> None:
    simulation = Simulation(scripted_plan({"a": SEARCHED}, trials=1))
    step = simulation.step()
    assert isinstance(step, Start) and simulation.step() == Wait()
    simulation.end(step.spec.id, complete(step.spec))
    assert isinstance(simulation.step(), Start)


def test_a_variant_with_nothing_to_search_is_tried_once() -> None:
    assert stages(Simulation(scripted_plan({"a": {"quality": 0.5}}, trials=8)).run()) == {"search": 1, "confirm": 2}


def test_an_exhausted_space_ends_the_search_and_a_resumed_study_does_not_open_it_again() -> None:
    simulation = Simulation(scripted_plan({"a": SEARCHED}, trials=8), size=3)
    assert stages(simulation.run()) == {"search": 3, "confirm": 2}
    simulation.killed()
    assert policy.is_complete(simulation.plan, simulation.state) and simulation.step() == Done()


def test_every_fold_of_every_seed_is_confirmed() -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=1, confirm={"seeds": [0, 1], "folds": 2})
    confirm = [spec for spec in Simulation(plan).run() if spec.stage == "confirm"]
    assert [(spec.seed, spec.fold) for spec in confirm] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [spec.tree["dataset"]["fold"] for spec in confirm] == [0, 1, 0, 1]


def test_search_has_the_studys_seed() -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=3)
    handed = Simulation(replace(plan, search={**plan.search, "seed": 7})).run()
    assert {spec.seed for spec in handed if spec.stage == "search"} == {7}


def test_only_complete_trials_win_however_good_a_pruned_one_looked() -> None:
    handed = Simulation(scripted_plan({"a": SEARCHED}, trials=3)).run(
        lambda spec: "prune" if spec.params["model.quality"] == 0.7 else complete(spec)
    )
    assert set(qualities(handed, "confirm")) == {0.4}


def test_of_equal_trials_the_first_wins() -> None:
    alike = TrialResult(state="complete", value=0.5, epochs=1)
    assert set(qualities(Simulation(scripted_plan({"a": SEARCHED}, trials=3)).run(lambda _: alike), "confirm")) == {0.0}


def test_smaller_is_better_where_the_objective_says_so() -> None:
    handed = Simulation(two(objective=Objective(metric="val/loss", mode="min"))).run()
    assert set(qualities(handed, "confirm")) == {0.0}


def test_the_best_pruned_trial_is_trained_to_its_end_where_none_is_complete() -> None:
    handed = Simulation(scripted_plan({"a": SEARCHED}, trials=3)).run(lambda spec: "prune")
    extra = [spec for spec in handed if spec.stage == "search"][3:]
    assert [(spec.number, spec.params) for spec in extra] == [(3, {"model.quality": 0.7})]
    assert qualities(handed, "confirm") == [0.7, 0.7]


def test_a_configuration_that_failed_when_completed_gives_way_to_the_next_best() -> None:
    def end(spec: TrialSpec) -> TrialResult | str:
        return failed("no memory") if spec.number == 3 else "prune"

    handed = Simulation(scripted_plan({"a": SEARCHED}, trials=3)).run(end)
    assert qualities(handed, "search")[3:] == [0.7, 0.4] and qualities(handed, "confirm") == [0.4, 0.4]


def test_a_trial_with_the_parameters_of_a_pruned_one_may_be_pruned_as_any_other() -> None:
    simulation = Simulation(scripted_plan({"a": SEARCHED}, trials=12))  # after ten, the parameters begin anew
    handed = simulation.run(lambda spec: "prune" if spec.params["model.quality"] == 0.7 else complete(spec))
    again = [spec for spec in handed if spec.stage == "search" and spec.params == {"model.quality": 0.7}]
    assert [spec.number for spec in again] == [1, 11]
    assert all(Progress(simulation.plan, simulation.state).prunable(spec) for spec in again)


def test_a_variant_whose_trials_all_failed_has_failed_with_the_first_reason() -> None:
    simulation = Simulation(two(trials=2))
    handed = simulation.run(
        lambda spec: failed(f"no memory for {spec.number}") if spec.variant == "a" else complete(spec)
    )
    assert policy.is_complete(simulation.plan, simulation.state)
    assert Progress(simulation.plan, simulation.state).failures() == {"a": "no memory for 0"}
    assert {spec.variant for spec in handed if spec.stage == "confirm"} == {"b"}


def test_an_interrupted_trial_comes_next_with_its_number_and_costs_nothing() -> None:
    simulation = Simulation(scripted_plan({"a": SEARCHED}, trials=2))
    first = simulation.step()
    assert isinstance(first, Start)
    for _ in range(5):
        simulation.end(first.spec.id, "interrupt")
        assert next_step(simulation.plan, simulation.state) == first
        simulation.step()
    assert stages(simulation.run()[6:]) == {"search": 1, "confirm": 2}


def test_a_trial_that_was_out_when_its_driver_was_killed_comes_next() -> None:
    simulation = Simulation(two())
    out = [simulation.step(), simulation.step()]
    simulation.killed()
    assert [simulation.step(), simulation.step()] == out


def test_a_trial_of_a_variant_that_was_taken_out_waits_until_it_is_back() -> None:
    simulation = Simulation(plan := two())
    gone = simulation.step()
    simulation.plan = replace(plan, variants=plan.variants[1:], baseline="b")
    simulation.killed()
    assert {spec.variant for spec in simulation.run()[1:]} == {"b"}
    simulation.plan = plan
    simulation.killed()
    assert simulation.step() == gone


def test_a_trial_fails_after_three_deaths_and_other_interruptions_do_not_count() -> None:
    simulation = Simulation(scripted_plan({"a": SEARCHED}, trials=1))
    ends = ["interrupt", "die", "interrupt", "die", "interrupt", "interrupt", "die"]
    for end in ends:
        step = simulation.step()
        assert isinstance(step, Start) and step.spec.number == 0
        simulation.end(step.spec.id, end)
    assert simulation.state.trials[step.spec.id].state == "failed" and simulation.step() == Done()
    assert Progress(simulation.plan, simulation.state).failures() == {"a": f"its worker died {DEATHS} times: killed"}


def test_a_nan_value_is_a_failure_whatever_the_trial_reports() -> None:
    simulation = Simulation(scripted_plan({"a": SEARCHED}, trials=1))
    assert stages(simulation.run(lambda spec: TrialResult(state="complete", value=math.nan))) == {"search": 1}
    assert Progress(simulation.plan, simulation.state).failures() == {"a": "the objective is NaN"}


def test_a_pruned_trial_counts_with_the_best_epoch_of_the_phase_it_is_in() -> None:
    (variant,) = (plan := scripted_plan({"a": SEARCHED})).variants
    values = [("global", 0.9), ("local", 0.6), ("local", 0.7), ("local", 0.65)]
    epochs = [
        Epoch(number=number, metrics={"val/auroc": value}, value=value, smoothed=value, seconds=2.0, phase=phase)
        for number, (phase, value) in enumerate(values, 1)
    ]
    spec = policy.search_spec(plan, Ask(variant, 0), Configuration(variant.tree))
    result = policy.pruned(TrialRecord(spec, tuple(epochs)), plan.objective)
    assert (result.state, result.value, result.best_epoch, result.epochs) == ("pruned", 0.7, 3, 4)
    assert result.metrics == {"val/auroc": 0.7} and result.seconds == 8.0


def test_the_label_control_comes_last_for_the_baseline_alone() -> None:
    handed = Simulation(two(baseline="b", confirm={"seeds": [3, 4], "label_control": True})).run()
    assert [spec.stage == "control" for spec in handed] == [False] * (len(handed) - 1) + [True]
    assert (handed[-1].variant, handed[-1].seed, handed[-1].tree["train"]["shuffle_labels"]) == ("b", 3, True)


# All laws at once, on states that nobody thought of

ENDS = ("complete", "complete", "prune", "fail", "nan", "interrupt", "die")
ACTIONS = st.lists(
    st.one_of(st.just("step"), st.just("killed"), st.tuples(st.integers(0, 3), st.sampled_from(ENDS), st.floats(0, 1))),
    max_size=40,
)


@settings(max_examples=50, deadline=None)
@given(actions=ACTIONS, trials=st.integers(1, 4), size=st.integers(1, 6))
def test_the_laws_hold_whatever_happens_in_whatever_order(actions: list[Any], trials: int, size: int) -> None:
    simulation = Simulation(two(trials=trials), size)
    for action in actions:
        if action == "killed":
            simulation.killed()
        elif action == "step":
            _step(simulation)
        elif simulation.state.out:
            number, end, value = action
            trial = simulation.state.out[number % len(simulation.state.out)]
            results = {
                "complete": TrialResult(state="complete", value=value),
                "fail": failed("it broke"),
                "nan": TrialResult(state="complete", value=math.nan),
            }
            simulation.end(trial, results.get(end, end))
    simulation.run()
    _check_budgets(simulation, min(trials, size))
    _check_winners(simulation)


def _step(simulation: Simulation) -> None:
    """Take a step; the policy changes no state, and answers the same when asked again."""
    before = copy.deepcopy(simulation.state)
    step = next_step(simulation.plan, simulation.state)
    assert next_step(simulation.plan, simulation.state) == step and simulation.state == before
    if isinstance(step, Ask) and step.params is None:
        others = [item for item in simulation.plan.trained if item.id not in simulation.state.exhausted]
        counts = [len(simulation.state.of_variant(item.id, "search")) for item in others]
        assert step.number == len(simulation.state.of_variant(step.variant.id, "search")) == min(counts)
    simulation.step()


def _check_budgets(simulation: Simulation, budget: int) -> None:
    """Equal budgets, each number once; more only to complete what was pruned. Nothing is lost or counted twice."""
    state = simulation.state
    assert policy.is_complete(simulation.plan, state) and not state.out and not state.waiting
    asked = Counter(event.data["trial"] for event in simulation.journal if event.kind == kinds.TRIAL_ASKED)
    ended = Counter(event.data["trial"] for event in simulation.journal if event.kind == kinds.TRIAL_FINISHED)
    assert asked == ended and set(asked.values()) == {1}
    for variant in simulation.plan.variants:
        records = state.of_variant(variant.id, "search")
        assert [record.spec.number for record in records] == list(range(len(records)))
        first, extra = records[:budget], records[budget:]
        assert len(first) == budget and (not extra or all(record.state != "complete" for record in first))
        pruned = [record.spec.params for record in first if record.state == "pruned"]
        assert all(record.spec.params in pruned for record in extra)
    for record in state.trials.values():
        assert record.deaths < DEATHS


def _check_winners(simulation: Simulation) -> None:
    """The best complete trial is confirmed once a seed; a variant without one has failed."""
    failures = Progress(simulation.plan, simulation.state).failures()
    for variant in simulation.plan.variants:
        records = simulation.state.of_variant(variant.id, "search")
        whole = [record for record in records if record.state == "complete" and record.result]
        confirmed = simulation.state.of_variant(variant.id, "confirm")
        assert [record.spec.seed for record in confirmed] == ([0, 1] if whole else [])
        if whole:
            best = max(whole, key=lambda record: record.result.value if record.result else math.nan)
            assert all(record.spec.params == best.spec.params for record in confirmed)
        lost = any(record.state == "failed" for record in confirmed)
        assert (variant.name in failures) == (not whole or lost)


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_a_journal_cut_after_any_event_leads_to_the_same_end(cut: int) -> None:
    def end(spec: TrialSpec) -> TrialResult | str:
        return "prune" if spec.stage == "search" and spec.params["model.quality"] == 0.0 else complete(spec)

    whole, again = Simulation(two(trials=2)), Simulation(two(trials=2))
    whole.run(end)
    again.journal = whole.journal[:cut]
    again.killed()
    again.run(end)
    expected = {trial: record.state for trial, record in whole.state.trials.items()}
    assert {trial: record.state for trial, record in again.state.trials.items()} == expected
