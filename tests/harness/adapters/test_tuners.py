"""Laws that hold for every tuner, then what Ray alone can do wrong."""

from __future__ import annotations

import json
import math
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import ray
import torch

from harness.adapters.inline import InlineTuner
from harness.adapters.last_words import LastWords
from harness.adapters.optuna.search import OptunaSampler
from harness.adapters.ray import client
from harness.adapters.ray.asha import Pruners
from harness.adapters.ray.trainable import HarnessTrainable
from harness.adapters.ray.tuner import RayTuner
from harness.config.settings import Settings
from harness.contract.loading.catalog import RESULTS_VERSION
from harness.contract.types import Epoch, Plan, VariantPlan
from harness.study.journal.journal import Event, Journal
from harness.study.journal.progress import Progress
from harness.study.journal.state import StudyState
from harness.study.run.driver import Driver, Tuner
from harness.study.run.policy import Start
from harness.study.run.recorder import Recorder
from harness.study.run.run import Outcome, run_study
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import CATALOG, RUN, scripted_plan

SEARCHED = {"quality": {"float": [0.1, 0.9]}}
MIXED: dict[str, Any] = {
    "strong": SEARCHED,
    "weak": {"quality": {"float": [0.01, 0.09]}},
    "fixed": {"quality": 0.5},
    "nan": {**SEARCHED, "fault": "nan"},
    "bad": {**SEARCHED, "fault": "raise"},
}
ASHA = {"use": "asha", "grace": 1, "reduction": 3}


def run(plan: Plan, folder: Path, tuner: Tuner, concurrent: int = 1) -> tuple[Outcome, list[Event]]:
    settings = Settings(data=folder, results=folder, cache=folder / "cache", device="cpu", concurrent=concurrent)
    sampler = OptunaSampler(f"sqlite:///{folder / plan.directory / 'optuna.db'}")
    outcome = run_study(plan, settings, tiny_catalog(), tuner, sampler)
    return outcome, Journal(folder / plan.directory / "journal.jsonl").read()


def told(events: list[Event]) -> list[Any]:
    """What happened, without when and where."""
    kept = ("trial", "state", "value", "number", "smoothed", "reason", "epochs", "best_epoch", "files")
    return [
        (event.kind, {key: str(event.data[key]).splitlines()[-1:] for key in kept if key in event.data})
        for event in events
    ]


def states(plan: Plan, folder: Path) -> dict[str, list[str]]:
    url = f"sqlite:///{folder / plan.directory / 'optuna.db'}"
    studies = {variant.name: optuna.load_study(study_name=variant.id, storage=url) for variant in plan.variants}
    return {name: [trial.state.name for trial in study.trials] for name, study in studies.items()}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Plan, Path, Outcome, list[Event]]]:
    """The same study, stopped trials, NaN and exceptions in it, run by either tuner."""
    plan = scripted_plan(MIXED, trials=6, epochs=9, pruner=ASHA)
    found = {}
    for name, tuner in (("inline", InlineTuner(RUN)), ("ray", RayTuner(RUN, CATALOG))):
        folder = tmp_path_factory.mktemp(name)
        found[name] = (plan, folder, *run(plan, folder, tuner))
    return found


def test_inline_and_ray_tell_the_same_events_in_the_same_order(both: Any) -> None:
    assert told(both["inline"][3]) == told(both["ray"][3])


@pytest.mark.parametrize("name", ["inline", "ray"])
def test_stopped_trials_are_pruned_failed_ones_failed_and_none_is_left_running(both: Any, name: str) -> None:
    plan, folder, outcome, events = both[name]
    found = states(plan, folder)
    assert {"COMPLETE", "PRUNED"} == set(found["strong"]) == set(found["weak"])
    assert found["nan"] == found["bad"] == 6 * ["FAIL"]
    assert found["fixed"] == ["COMPLETE"]
    state = StudyState.of(events)
    for variant in plan.variants:
        records = state.of_variant(variant.id, "search")
        same = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
        assert [same[record.state] for record in records] == found[variant.name]
    assert outcome.exit_code == 1 and set(outcome.failed) == {"nan", "bad"}
    assert "the script says so" in outcome.reasons["bad"]


@pytest.mark.parametrize("name", ["inline", "ray"])
def test_a_stopped_trial_counts_with_the_best_it_had_reached(both: Any, name: str) -> None:
    plan, folder, _, events = both[name]
    url = f"sqlite:///{folder / plan.directory / 'optuna.db'}"
    stopped = [record for record in StudyState.of(events).trials.values() if record.state == "pruned"]
    assert stopped
    for record in stopped:
        assert record.result is not None
        assert record.result.value == max(epoch.smoothed for epoch in record.epochs)
        assert record.result.epochs == len(record.epochs) < 9
        trial = optuna.load_study(study_name=record.spec.variant_id, storage=url).trials[record.spec.number]
        assert trial.intermediate_values == {epoch.number: epoch.smoothed for epoch in record.epochs}


def test_weak_variants_are_not_stopped_for_being_weak(both: Any) -> None:
    plan, folder, _, _ = both["ray"]
    found = states(plan, folder)
    assert found["weak"].count("COMPLETE") >= 2


def test_nothing_of_ray_is_left_behind(both: Any) -> None:
    import ray

    _, folder, _, _ = both["ray"]
    assert not ray.is_initialized()
    assert {path.name for path in folder.iterdir()} <= {"scripted", "ledger.jsonl", "cache"}
    study = next(folder.glob("scripted/*"))
    assert not (study / "lock.json").exists()
    assert not any((study / "checkpoints").iterdir()), "ended trials need no checkpoint"


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path, Outcome, list[Event]]:
    """Two trials at a time on Ray: workers that are killed, a file in each result."""
    models = {
        "dies": {"quality": 0.5, "fault": "die", "fault_epoch": 2},
        "dies_once": {"quality": 0.5, "fault": "die_once", "fault_epoch": 2},
        "leaves": {"quality": 0.5, "fault": "leave"},
        "sound": {**SEARCHED, "bytes": 300_000},
    }
    plan, folder = scripted_plan(models, trials=4, epochs=3, seeds=(0,)), tmp_path_factory.mktemp("rough")
    return plan, folder, *run(plan, folder, RayTuner(RUN, CATALOG), concurrent=2)


def test_a_killed_workers_trial_goes_on_where_its_checkpoint_was(rough: Any) -> None:
    plan, _, _, events = rough
    variant = plan.variants[1].id[:12]
    mine = [event for event in events if event.data.get("trial") == f"{variant}-search-0"]
    kinds = [event.kind.removeprefix("trial_") for event in mine]
    assert kinds == ["asked", "started", "epoch", "interrupted", "started", "epoch", "epoch", "epoch", "finished"] or (
        kinds == ["asked", "started", "epoch", "interrupted", "started", "epoch", "epoch", "finished"]
    )
    assert StudyState.of(events).trials[f"{variant}-search-0"].state == "complete"
    assert [epoch.number for epoch in StudyState.of(events).trials[f"{variant}-search-0"].epochs] == [1, 2, 3]


def test_a_trial_that_always_kills_its_worker_fails_alone(rough: Any) -> None:
    plan, folder, outcome, events = rough
    assert outcome.exit_code == 1 and outcome.failed == ("dies", "leaves")
    assert "died 3 times: its worker process has died" in outcome.reasons["dies"]
    ended = {"dies": ["FAIL"], "dies_once": ["COMPLETE"], "leaves": ["FAIL"], "sound": 4 * ["COMPLETE"]}
    assert states(plan, folder) == ended
    reasons = [event.data["reason"] for event in events if event.kind == "trial_interrupted"]
    # 3 - 1 of one trial, one each of search and confirm
    assert [reason for reason in reasons if "_exit" not in reason] == 4 * ["its worker process has died"]


def test_a_trial_that_ends_its_worker_fails_with_the_stack(rough: Any) -> None:
    _, _, outcome, _ = rough
    reason = outcome.reasons["leaves"]
    assert reason.startswith("its worker died 3 times: os._exit(3)")
    assert re.search(r"os\._exit\(3\) was called at .*scripted\.py:\d+, in _fail$", reason)
    assert "in run_scripted" in reason or "scripted.py" in reason


def test_the_files_of_a_result_come_back_through_ray(rough: Any) -> None:
    plan, folder, _, events = rough
    finished = [event for event in events if event.kind == "trial_finished" and event.data["files"]]
    assert len(finished) == 5
    for event in finished:
        path = folder / plan.directory / "trials" / event.data["trial"] / "weights.bin"
        assert path.stat().st_size == 300_000


def test_the_ledger_counts_each_opening_of_the_test_split(rough: Any) -> None:
    _, folder, _, _ = rough
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    assert sorted(line["trial"].split("-")[0].rstrip("x") for line in lines) == ["dies_once", "sound"]


def test_a_worker_killed_while_it_tests_leaves_its_opening_in_the_ledger(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"quality": 0.5, "fault": "die_tested"}}, epochs=2, seeds=(0,), dataset_digest="d1")
    outcome, events = run(plan, tmp_path, RayTuner(RUN, CATALOG))
    assert outcome.exit_code == 0
    confirm = f"{plan.variants[0].id[:12]}-confirm-0"
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["digest"], line["trial"]) for line in lines] == 2 * [("d1", confirm)]
    assert sum(event.kind == "trial_finished" and event.data["trial"] == confirm for event in events) == 1


@pytest.mark.slow
def test_a_trial_that_reports_nothing_is_ended_with_its_stack_and_costs_no_other(tmp_path: Path) -> None:
    models = {"hangs": {"quality": 0.5, "epoch_s": 600.0}, "sound": {"quality": 0.5}}
    plan = scripted_plan(models, trials=1, epochs=1, seeds=(0,))
    outcome, _ = run(plan, tmp_path, RayTuner(RUN, CATALOG, stall_s=3.0), concurrent=2)
    assert outcome.exit_code == 1 and outcome.failed == ("hangs",)
    assert "run_scripted" in outcome.reasons["hangs"] and "it reported nothing for 0:00:03" in outcome.reasons["hangs"]


@pytest.mark.parametrize("name", ["inline", "ray"])
@pytest.mark.parametrize(("fault", "code"), [("machine", 3), ("input", 2)])
def test_what_is_not_a_trials_own_fault_ends_the_run_with_its_code(
    tmp_path: Path, name: str, fault: str, code: int
) -> None:
    plan = scripted_plan({"a": {**SEARCHED, "fault": fault, "fault_epoch": 2}}, trials=2)
    outcome, events = run(plan, tmp_path, InlineTuner(RUN) if name == "inline" else RayTuner(RUN, CATALOG))
    assert outcome.exit_code == code
    assert ("no space left" if code == 3 else "K = 20 does not fit") in outcome.message
    assert [event.kind for event in events[-2:]] == ["trial_interrupted", "study_paused"]


@pytest.mark.slow
def test_ray_runs_a_study_in_another_thread_than_the_main_one(tmp_path: Path) -> None:
    """As a notebook's server may: signals are the main thread's alone to handle."""
    with ThreadPoolExecutor(1) as threads:
        outcome, _ = threads.submit(
            run, scripted_plan({"a": SEARCHED}, trials=1), tmp_path, RayTuner(RUN, CATALOG)
        ).result()
    assert outcome.exit_code == 0, outcome.message


def test_a_worker_with_other_plugins_than_the_plans_is_refused(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, plugins={"mil-harness": "9.9"})
    outcome, _ = run(plan, tmp_path, InlineTuner(RUN))
    assert outcome.exit_code == 3 and f"mil-harness 9.9 (here: {RESULTS_VERSION})" in outcome.message


def test_a_time_limit_ends_an_epoch_that_takes_long(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {**SEARCHED, "epoch_s": 60.0}})
    settings = Settings(data=tmp_path, results=tmp_path, cache=tmp_path, device="cpu")
    sampler = OptunaSampler(f"sqlite:///{tmp_path / plan.directory / 'optuna.db'}")
    began = time.monotonic()
    outcome = run_study(plan, settings, tiny_catalog(), InlineTuner(RUN), sampler, (), time_limit_s=4.0)
    assert time.monotonic() - began < 30
    assert outcome.exit_code == 130 and "time limit of 4 s" in outcome.message
    events = Journal(tmp_path / plan.directory / "journal.jsonl").read()
    assert [event.kind for event in events[-2:]] == ["trial_interrupted", "study_paused"]


def test_asha_has_no_say_in_what_is_not_trained(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=3, epochs=3, pruner=ASHA | {"reduction": 2})
    table = VariantPlan(name="table", id="table", tree={"external": {"predictions": "x.csv"}})
    plan = replace(plan, variants=(*plan.variants, table))
    sampler = OptunaSampler(f"sqlite:///{tmp_path / 'optuna.db'}")
    driver = Driver(plan, sampler, Recorder(tmp_path, tmp_path / "ledger.jsonl"))
    driver.open()
    pruners, pruned = Pruners(Progress(plan, driver.state)), []
    for value in (0.9, 0.5):
        step = driver.next()
        assert isinstance(step, Start)
        pruned.append(pruners.prunes(step.spec, Epoch(number=1, metrics={}, value=value, smoothed=value)))
    assert pruned == [False, True]


def test_cuda_that_an_earlier_trial_has_broken_ends_the_worker_and_not_the_trials_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", broken)
    plan = scripted_plan({"a": SEARCHED}, trials=2)
    outcome, events = run(plan, tmp_path, InlineTuner(RUN))
    assert (outcome.exit_code, "CUDA cannot be used" in outcome.message) == (3, True)
    assert not any(event.kind == "trial_finished" for event in events)

    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    worker = HarnessTrainable.__new__(HarnessTrainable)
    worker._reports = worker._catalog = None
    worker._words = LastWords()
    worker.reset_config({"spec": next(iter(StudyState.of(events).trials.values())).spec.to_json(), "job": {}})
    assert ended == [1]


@pytest.mark.parametrize(
    ("gpus", "concurrent", "share"), [(2, 3, 1 / 2), (8, 12, 1 / 2), (1, 4, 1 / 4), (4, 2, 1), (2, 2, 1), (3, 7, 1 / 3)]
)
def test_all_trials_that_are_asked_for_find_a_place_on_a_gpu(
    gpus: int, concurrent: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": float(gpus)})
    wanted = client.resources(concurrent, 1.0, None)
    assert wanted == {"cpu": 1.0, "gpu": pytest.approx(share)}
    assert gpus * math.floor(1 / wanted["gpu"] + 1e-9) >= concurrent
