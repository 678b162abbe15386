"""What Optuna's database says of a study, whatever happened to the driver in between."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest

from harness.adapters.optuna.search import OptunaSampler
from harness.contract.errors import InputError, MachineError
from harness.contract.types import Epoch, Objective, Plan, TrialResult, TrialSpec, VariantPlan
from harness.study.journal.state import StudyState
from harness.study.run.driver import Driver
from harness.study.run.policy import Start
from harness.study.run.recorder import Recorder
from harness.study.run.tuning import Configuration
from harness.testing.scripted import scripted_plan

RANGE = {"quality": {"float": [0.0, 1.0], "default": 0.5}}
TPE = {"use": "tpe", "startup": 2}


def database(folder: Path) -> str:
    return f"sqlite:///{folder / 'optuna.db'}"


def opened(plan: Plan, folder: Path, url: str | None = None) -> Driver:
    folder.mkdir(exist_ok=True)
    driver = Driver(plan, OptunaSampler(url or database(folder)), Recorder(folder, folder / "ledger.jsonl"))
    driver.recorder.load()
    driver.open()
    return driver


def drive(driver: Driver, states: Mapping[int, str], most: int = 100) -> list[TrialSpec]:
    """Run search trials; `states` has the state in which one ends, by number: complete where it has none."""
    handed: list[TrialSpec] = []
    while len(handed) < most and isinstance(step := driver.next(), Start):
        handed.append(spec := step.spec)
        value, state = float(spec.tree["model"]["quality"]), states.get(spec.number, "complete")
        result = TrialResult(state="complete", value=value, epochs=2)
        if spec.stage == "search" and state == "failed":
            result = TrialResult(state="failed", reason="loss is NaN in epoch 1", epochs=2)
        last = 2 if spec.stage == "search" and state == "pruned" else 3
        epochs = [Epoch(number=n, metrics={}, value=value, smoothed=value + n / 100) for n in (1, 2)]
        for item in (*epochs, result):
            if driver.report(spec.id, item, partial(prunes, last)):
                break
    return handed


def prunes(last: int, spec: TrialSpec, epoch: Epoch) -> bool:
    return epoch.number >= last


never = partial(prunes, 100)


def study_of(plan: Plan, folder: Path) -> optuna.Study:
    return optuna.load_study(study_name=plan.variants[0].id, storage=database(folder))


def test_states_are_told_as_they_were(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=4)
    driver = opened(plan, tmp_path)
    drive(driver, {1: "pruned", 2: "failed"})
    trials = study_of(plan, tmp_path).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE", "PRUNED", "FAIL", "COMPLETE"]
    stopped, failed = trials[1], trials[2]
    quality = stopped.params["model.quality"]
    assert stopped.intermediate_values == pytest.approx({1: quality + 0.01, 2: quality + 0.02})
    assert failed.user_attrs["reason"] == "loss is NaN in epoch 1"
    known = [record.spec.id for record in driver.state.of_variant(plan.variants[0].id, "search")]
    assert [trial.user_attrs["trial"] for trial in trials] == known


def test_a_nan_value_is_a_failure_and_leaves_no_trial_running(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=1)
    driver = opened(plan, tmp_path)
    step = driver.next()
    assert isinstance(step, Start)
    spec = step.spec
    driver.report(spec.id, Epoch(number=1, metrics={}, value=math.nan, smoothed=math.nan), never)
    driver.report(spec.id, TrialResult(state="complete", value=math.nan, epochs=1), never)
    assert [trial.state.name for trial in study_of(plan, tmp_path).trials] == ["FAIL"]


def test_trial_0_is_the_default_configuration(tmp_path: Path) -> None:
    handed = drive(opened(scripted_plan({"a": RANGE}, trials=2), tmp_path), {})
    assert handed[0].params == {"model.quality": 0.5}
    assert handed[1].params != handed[0].params


def test_every_configuration_of_a_grid_is_proposed_once_the_default_first(tmp_path: Path) -> None:
    model = {"quality": {"choice": [0.1, 0.2, 0.3], "default": 0.2}, "crops": {"int": [1, 2]}}
    plan = scripted_plan({"a": model}, trials=50, sampler={"use": "grid"})
    found = [spec.params for spec in drive(opened(plan, tmp_path), {}) if spec.stage == "search"]
    assert len(found) == 6 == len({tuple(params.items()) for params in found})
    assert found[0]["model.quality"] == 0.2


@pytest.mark.parametrize("sampler", [TPE, {"use": "random"}])
def test_no_point_of_a_finite_space_is_trained_twice(tmp_path: Path, sampler: dict[str, Any]) -> None:
    model = {"quality": {"float": [0.1, 0.5], "step": 0.2}, "mode": {"choice": ["x", "y"]}}
    plan = scripted_plan({"a": model}, trials=9, sampler=sampler)
    broken_off = [spec.params for spec in drive(opened(plan, tmp_path / "parts"), {}, most=3)]
    found = [*broken_off, *(s.params for s in drive(opened(plan, tmp_path / "parts"), {}) if s.stage == "search")]
    assert len(found) == 6 == len({str(sorted(params.items())) for params in found})
    whole = [spec.params for spec in drive(opened(plan, tmp_path / "whole"), {}) if spec.stage == "search"]
    assert whole == found


def test_a_large_finite_space_is_drawn_by_the_sampler_without_repeats(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"quality": {"float": [0.0, 1.0], "step": 0.01}}}, trials=25, sampler=TPE)
    found = [spec.tree["model"]["quality"] for spec in drive(opened(plan, tmp_path), {}, most=25)]
    assert len({round(value, 4) for value in found}) == 25
    assert sum(found[15:]) / 10 > 0.75


def test_what_an_option_holds_is_sampled_only_where_the_option_is_picked(tmp_path: Path) -> None:
    options = [{"use": "mean"}, {"use": "top", "fraction": {"float": [0.1, 0.2]}}]
    plan = scripted_plan({"a": {"quality": 0.5, "pooling": {"choice": options}}}, trials=12, sampler=TPE)
    seen = set()
    for spec in drive(opened(plan, tmp_path), {}):
        seen.add(spec.tree["model"]["pooling"]["use"])
        assert ("fraction" in spec.tree["model"]["pooling"]) == (spec.tree["model"]["pooling"]["use"] == "top")
    assert seen == {"mean", "top"}


def test_tpe_goes_where_the_values_are_good_after_its_startup(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=25, sampler={"use": "tpe", "startup": 4})
    qualities = [spec.tree["model"]["quality"] for spec in drive(opened(plan, tmp_path), {}, most=25)]
    assert sum(qualities[15:]) / 10 > 0.8


@pytest.mark.parametrize("sampler", [TPE, {"use": "random"}])
def test_a_search_that_was_broken_off_samples_what_it_would_have(tmp_path: Path, sampler: dict[str, Any]) -> None:
    plan = scripted_plan({"a": RANGE}, trials=6, sampler=sampler)
    whole = [spec.params for spec in drive(opened(plan, tmp_path / "whole"), {}, most=6)]
    parts: list[Any] = []
    for most in (1, 2, 3):
        parts += [spec.params for spec in drive(opened(plan, tmp_path / "parts"), {}, most=most)]
    assert parts == whole
    assert len({params["model.quality"] for params in whole}) == 6, "no start-up point is replayed"


def test_a_trial_asked_before_a_crash_is_adopted(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=3)
    variant = plan.variants[0]
    for number in (0, 1):  # the first is enqueued, the second sampled; neither reaches the journal
        drive(opened(plan, tmp_path), {}, most=number)
        lost = OptunaSampler(database(tmp_path))
        lost.sync(plan, opened(plan, tmp_path).state)
        asked = lost.ask(variant, number)
        assert asked is not None
        again = opened(plan, tmp_path).next()
        assert isinstance(again, Start) and again.spec.number == number
        assert again.spec.params == asked.params and again.spec.tree == asked.tree
        (tmp_path / "journal.jsonl").write_text(_without_last_line(tmp_path / "journal.jsonl"))
    drive(opened(plan, tmp_path), {})
    assert [trial.state.name for trial in study_of(plan, tmp_path).trials] == 3 * ["COMPLETE"]


def test_a_crash_between_enqueuing_and_asking_leaves_no_trial_behind(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=2)
    opened(plan, tmp_path)
    study_of(plan, tmp_path).enqueue_trial({"model.quality": 0.5})
    drive(opened(plan, tmp_path), {})
    assert [trial.state.name for trial in study_of(plan, tmp_path).trials] == 2 * ["COMPLETE"]


@pytest.mark.parametrize("kept", [0, 1, 3, 4])
def test_what_the_database_misses_is_told_on_resume(tmp_path: Path, kept: int) -> None:
    plan = scripted_plan({"a": RANGE}, trials=4)
    driver = opened(plan, tmp_path)
    drive(driver, {1: "pruned", 2: "failed"}, most=4)
    before = {trial.number: (trial.state, trial.params, trial.values) for trial in study_of(plan, tmp_path).trials}
    _forget(plan, tmp_path, kept)
    resumed = opened(plan, tmp_path)
    trials = study_of(plan, tmp_path).trials
    assert {trial.number: (trial.state, trial.params, trial.values) for trial in trials} == before
    assert _states(resumed) == {0: "complete", 1: "pruned", 2: "failed", 3: "complete"}


def test_a_database_that_contradicts_the_journal_is_filled_anew(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=3)
    drive(opened(plan, tmp_path), {1: "failed"}, most=3)
    optuna.delete_study(study_name=plan.variants[0].id, storage=database(tmp_path))
    other = optuna.create_study(study_name=plan.variants[0].id, storage=database(tmp_path), direction="maximize")
    for _ in range(5):
        trial = other.ask()
        other.tell(trial, trial.suggest_float("model.quality", 0, 1))
    assert _states(opened(plan, tmp_path)) == {0: "complete", 1: "failed", 2: "complete"}


def test_the_extra_run_of_a_stopped_trial_has_its_parameters_in_both_stores(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=2)
    driver = opened(plan, tmp_path)
    handed = drive(driver, {0: "pruned", 1: "pruned"})
    trials = study_of(plan, tmp_path).trials
    assert [trial.state.name for trial in trials] == ["PRUNED", "PRUNED", "COMPLETE"]
    assert trials[2].params == dict(handed[2].params) in [trial.params for trial in trials[:2]]


def test_two_variants_never_share_a_study(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE, "b": RANGE}, trials=2)
    driver = opened(plan, tmp_path)
    drive(driver, {})
    assert [len(driver._sampler.states(variant.id)) for variant in plan.variants] == [2, 2]


def test_a_database_that_cannot_be_reached_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_text("no database " * 1000)
    with pytest.raises(MachineError, match="optuna.db cannot be used: file is not a database"):
        opened(scripted_plan({"a": RANGE}), tmp_path)


def test_a_database_that_goes_away_stops_the_run_and_is_told_later(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE}, trials=2)
    driver = opened(plan, tmp_path)
    step = driver.next()
    assert isinstance(step, Start)
    spec = step.spec
    hidden = (tmp_path / "optuna.db").rename(tmp_path / "away.db")
    (tmp_path / "optuna.db").mkdir()
    driver._sampler._storage.engine.dispose()
    with pytest.raises(MachineError, match="cannot be used"):
        driver.report(spec.id, TrialResult(state="complete", value=0.5, epochs=1), never)
    (tmp_path / "optuna.db").rmdir()
    hidden.rename(tmp_path / "optuna.db")
    resumed = opened(plan, tmp_path)
    assert _states(resumed) == {0: "complete"}
    assert resumed.state.trials[spec.id].state == "complete", "the journal had it"


def test_a_wrong_url_is_the_users_mistake_and_passwords_are_not_shown(tmp_path: Path) -> None:
    for url, found in (("nonsense", "not a database URL"), ("oracle://me:secret@host/db", "not installed")):
        with pytest.raises((InputError, MachineError), match=found) as caught:
            opened(scripted_plan({"a": RANGE}), tmp_path, url)
        assert "secret" not in str(caught.value)


def _states(driver: Driver) -> dict[int, str]:
    return driver._sampler.states(driver.plan.variants[0].id)


def _without_last_line(path: Path) -> str:
    return "".join(path.read_text().splitlines(keepends=True)[:-1])


def _forget(plan: Plan, folder: Path, kept: int) -> None:
    """Leaves the first `kept` trials in the database, the last of them untold."""
    study = study_of(plan, folder)
    trials = study.trials[:kept]
    optuna.delete_study(study_name=plan.variants[0].id, storage=database(folder))
    if not kept:
        return
    anew = optuna.create_study(study_name=plan.variants[0].id, storage=database(folder), direction="maximize")
    for trial in trials[:-1]:
        anew.add_trial(trial)
    last = optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING, params=trials[-1].params, distributions=trials[-1].distributions
    )
    anew.add_trial(last)


def test_the_proposal_of_an_unsearched_variant_is_its_tree(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"quality": 0.5}})
    sampler = OptunaSampler(database(tmp_path))
    sampler.sync(plan, StudyState())
    variant: VariantPlan = plan.variants[0]
    assert sampler.ask(variant, 0) == Configuration(dict(variant.tree), {})


def test_a_missing_driver_is_named_with_what_brings_it(tmp_path: Path) -> None:
    if importlib.util.find_spec("psycopg"):
        pytest.skip("the driver is installed")
    with pytest.raises(InputError, match=r"'psycopg'.*pip install mil-harness\[postgresql\]"):
        opened(scripted_plan({"a": RANGE}), tmp_path, "postgresql://nobody@127.0.0.1:1/optuna")


def test_two_variants_of_one_space_draw_their_own_configurations(tmp_path: Path) -> None:
    plan = scripted_plan({"a": RANGE, "b": RANGE}, trials=3, sampler={"use": "random"})
    drawn = {(spec.variant, spec.number): spec.params for spec in drive(opened(plan, tmp_path), {}, most=6)}
    assert drawn["a", 0] == drawn["b", 0], "the default"
    assert all(drawn["a", number] != drawn["b", number] for number in (1, 2))


def test_optuna_is_told_which_way_is_up(tmp_path: Path) -> None:
    plan = scripted_plan(
        {"a": RANGE},
        trials=25,
        sampler={"use": "tpe", "startup": 4},
        objective=Objective(metric="val/loss", mode="min"),
    )
    qualities = [spec.tree["model"]["quality"] for spec in drive(opened(plan, tmp_path), {}, most=25)]
    assert study_of(plan, tmp_path).direction == optuna.study.StudyDirection.MINIMIZE
    assert sum(qualities[15:]) / 10 < 0.2
