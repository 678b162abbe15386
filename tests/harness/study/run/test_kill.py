"""Kills real runs at random moments, then gives the same command again: nothing is lost, nothing counted twice."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest

from harness.adapters.mlflow.client import connect
from harness.adapters.optuna.search import OptunaSampler
from harness.contract.types import Plan
from harness.study.journal.journal import Event, Journal
from harness.study.journal.state import StudyState
from harness.study.run.doctor import check_study, trial_states
from harness.testing.scripted import scripted_plan

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

SCRIPT = Path(__file__).with_name("scripted_run.py")
STUDY: dict[str, Any] = {
    "models": {
        "a": {"quality": {"float": [0.1, 0.9]}, "epoch_s": 0.05},
        "b": {"quality": {"float": [0.1, 0.9]}, "epoch_s": 0.05, "bytes": 1000},
        "nan": {"quality": {"float": [0.1, 0.9]}, "fault": "nan"},
    },
    "trials": 4,
    "epochs": 4,
    "pruner": {"use": "asha", "grace": 1, "reduction": 2},
}


class Command:
    """The same command, given again and again to one folder."""

    def __init__(self, folder: Path, kind: str, concurrent: int = 1, study: dict[str, Any] = STUDY) -> None:
        self.folder, self.plan = folder, scripted_plan(**study)
        self.journal = Journal(folder / "results" / self.plan.directory / "journal.jsonl")
        self._command = [sys.executable, str(SCRIPT), str(folder), kind, str(concurrent), json.dumps(study)]

    def start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # Under nohup these tests are run with SIGHUP ignored, which a run inherits, and goes by.
        hears = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
        return subprocess.Popen(self._command, env=environment, start_new_session=True, preexec_fn=hears, **pipes)

    def finish(self) -> dict[str, Any]:
        """Runs it to its end, and gives what it said."""
        process = self.start()
        out, err = process.communicate(timeout=180)
        assert out, err[-3000:]
        return dict(json.loads(out.splitlines()[-1]))

    def wait(self, process: subprocess.Popen[str], seen: Callable[[list[Event]], bool]) -> None:
        """Waits until the journal shows it."""
        deadline = time.monotonic() + 90
        while process.poll() is None and not seen(self.journal.read()):
            assert time.monotonic() < deadline, "the run makes no progress"
            time.sleep(0.01)

    def check(self) -> None:
        """The study is whole, and both stores say the same of it."""
        events = self.journal.read()
        assert events[-1].kind == "study_finished"
        ends = Counter(event.data["trial"] for event in events if event.kind == "trial_finished")
        asked = Counter(event.data["trial"] for event in events if event.kind == "trial_asked")
        assert set(ends.values()) == set(asked.values()) == {1}, "nothing is counted twice"
        assert set(ends) == set(asked), "every trial has ended"
        state = StudyState.of(events)
        for variant in self.plan.variants:
            records = state.of_variant(variant.id, "search")
            assert [record.spec.number for record in records][:4] == [0, 1, 2, 3]
            assert {record.spec.number: record.state for record in records} == _in_optuna(self, self.plan, variant.id)
            for record in records:
                assert [epoch.number for epoch in record.epochs] == list(range(1, len(record.epochs) + 1))
        for name in ("a", "b"):
            assert sum(spec.variant == name and spec.stage == "confirm" for spec in _specs(state)) == 2
        weights = [path for path in (self.journal.path.parent / "trials").glob("*/weights.bin")]
        assert weights and all(path.stat().st_size == 1000 for path in weights)


def _specs(state: StudyState) -> list[Any]:
    return [record.spec for record in state.trials.values() if record.state == "complete"]


def _in_optuna(command: Command, plan: Plan, variant_id: str) -> dict[int, str]:
    names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
    url = f"sqlite:///{command.journal.path.parent / 'optuna.db'}"
    trials = optuna.load_study(study_name=variant_id, storage=url).trials
    return {trial.number: names[trial.state.name] for trial in trials}


def _kept(events: list[Event]) -> dict[str, Any]:
    return {event.data["trial"]: event.data for event in events if event.kind == "trial_finished"}


def _beyond(events: list[Event], more: int) -> Callable[[list[Event]], bool]:
    return lambda now: len(now) >= len(events) + more


def _kill_drivers(command: Command, kills: int, chance: random.Random, most: int) -> None:
    for _ in range(kills):
        before = command.journal.read()
        process = command.start()
        command.wait(process, _beyond(before, chance.randint(1, most)))
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.communicate()
        kept = _kept(before)
        assert {trial: data for trial, data in _kept(command.journal.read()).items() if trial in kept} == kept


def test_a_driver_killed_at_random_moments_goes_on_inline(tmp_path: Path) -> None:
    command = Command(tmp_path, "inline")
    _kill_drivers(command, 4, random.Random(1), most=25)
    assert command.finish()["exit_code"] == 1, "the variant that only gives NaN has failed"
    command.check()


@pytest.mark.slow
def test_drivers_and_workers_killed_at_random_moments_go_on_with_ray(tmp_path: Path, migrated_mlflow: Path) -> None:
    _check_after_kills(tmp_path, migrated_mlflow, drivers=2, workers=1)


@pytest.mark.slow
def test_drivers_and_workers_killed_many_times_go_on_with_ray(tmp_path: Path, migrated_mlflow: Path) -> None:
    _check_after_kills(tmp_path, migrated_mlflow, drivers=6, workers=4)


def _check_after_kills(folder: Path, mlflow: Path, drivers: int, workers: int) -> None:
    (folder / "results").mkdir()
    shutil.copy(mlflow, folder / "results" / "mlflow.db")
    command, chance = Command(folder, "ray", concurrent=2), random.Random(2)
    left: dict[int, str] = {}
    for _ in range(drivers):
        before = command.journal.read()
        process = command.start()
        command.wait(process, _beyond(before, chance.randint(3, 20)))
        left |= {child.pid: child.name() for child in psutil.Process(process.pid).children(recursive=True)}
        process.kill()
        process.communicate()
    process = command.start()
    for _ in range(workers):
        before = command.journal.read()
        command.wait(process, lambda now, start=before: any(e.kind == "trial_started" for e in now[len(start) :]))
        started = [event for event in command.journal.read() if event.kind == "trial_started"]
        os.kill(started[-1].data["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=180)
    assert json.loads(out.splitlines()[-1])["exit_code"] == 1, err[-3000:]
    assert len(out.splitlines()) == 1, "Ray is silent"
    command.check()
    _same_in_all_stores(folder, command.journal.path.parent)
    _same_curves(folder, command.journal)
    alive = [name for pid, name in left.items() if _lives(pid)]
    assert not alive, "what the killed drivers left was ended"
    assert not [path for path in (folder / "results").rglob("lock.json")]


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("inline", signal.SIGINT),
        ("ray", signal.SIGTERM),  # `timeout`, a service that is stopped, a job that is cancelled
        pytest.param("ray", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("ray", signal.SIGHUP, marks=pytest.mark.slow),  # the terminal closes
    ],
)
def test_what_a_process_group_is_sent_ends_a_long_epoch_at_once_and_the_same_command_goes_on(
    tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    models = {"a": {"quality": {"float": [0.1, 0.9]}, "epoch_s": 60.0}}
    command = Command(tmp_path, kind, concurrent=2, study={"models": models, "trials": 3})
    process = command.start()
    command.wait(process, lambda events: any(event.kind == "trial_started" for event in events))
    time.sleep(0.5)
    os.killpg(process.pid, number)  # Ray's processes are of the group as well
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 15, "not the minute that the epoch takes"
    said = json.loads(out.splitlines()[-1])
    assert said["exit_code"] == 130 == process.returncode, err[-2000:]
    assert "goes on" in said["message"]
    assert not _tracebacks(err)
    events = command.journal.read()
    assert events[-1].kind == "study_paused"
    started = {event.data["trial"] for event in events if event.kind == "trial_started"}
    told = Counter(event.data["trial"] for event in events if event.kind == "trial_interrupted")
    assert {told[trial] for trial in started} == {1}


def test_a_signal_that_comes_while_ray_starts_is_not_lost(tmp_path: Path) -> None:
    models = {"a": {"quality": {"float": [0.1, 0.9]}, "epoch_s": 60.0}}
    command = Command(tmp_path, "ray", concurrent=2, study={"models": models, "trials": 3})
    process = command.start()
    while not any(child.name() == "gcs_server" for child in psutil.Process(process.pid).children(recursive=True)):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    said = json.loads(out.splitlines()[-1])
    assert said["exit_code"] == 130 == process.returncode, err[-2000:]
    assert said["message"].startswith("ended by signal 15") and not _tracebacks(err)
    assert command.journal.read()[-1].kind == "study_paused"


def test_a_second_run_of_a_running_study_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    models = {"a": {"quality": {"float": [0.1, 0.9]}, "epoch_s": 60.0}}
    command = Command(tmp_path, "inline", study={"models": models})
    first = command.start()
    try:
        command.wait(first, lambda events: any(event.kind == "trial_started" for event in events))
        before = command.journal.read()
        said = command.finish()
        assert said["exit_code"] == 2
        assert f"process {first.pid} on {socket.gethostname()}" in said["message"]
        assert command.journal.read() == before and first.poll() is None
    finally:
        first.kill()
        first.communicate()


OURS = {"value", "smoothed", "best/val/auroc", "best_epoch", "epochs", "seconds", "time/epoch_s", "time/waiting_s"}
"""Metrics of a run beside what was measured; Ray's own (pid, timestamp, done, …) are none."""


def _same_in_all_stores(folder: Path, study: Path) -> None:
    """What `harness doctor` looks at: the set of (trial, state) in the journal, in Optuna and in MLflow."""
    from harness.adapters.mlflow.store import states, unsent

    uri, sampler = f"sqlite:///{folder / 'results' / 'mlflow.db'}", OptunaSampler(f"sqlite:///{study / 'optuna.db'}")
    findings = check_study(
        study, lambda at: trial_states(at, sampler.states), lambda at: states(uri, at), lambda at: unsent(uri, at)
    )
    assert {finding.level for finding in findings} == {"ok"}, findings


def _same_curves(folder: Path, journal: Journal) -> None:
    """MLflow has each epoch of each trial once, with the journal's values, and no metric that nobody measured."""
    client = connect(f"sqlite:///{folder / 'results' / 'mlflow.db'}")
    (experiment,) = [item for item in client.search_experiments() if item.name != "Default"]
    runs = {run.data.tags["harness.key"]: run for run in client.search_runs([experiment.experiment_id])}
    for trial, record in StudyState.of(journal.read()).trials.items():
        measured = {name for epoch in record.epochs for name in epoch.metrics}
        measured |= set(record.result.metrics) if record.result else set()
        told = runs[trial].data.metrics
        assert set(told) <= measured | OURS, trial
        for name in sorted({name for epoch in record.epochs for name in epoch.metrics}):
            expected = [(e.number, e.metrics[name]) for e in record.epochs if math.isfinite(e.metrics[name])]
            points = client.get_metric_history(runs[trial].info.run_id, name) if expected else []
            assert [(point.step, point.value) for point in points] == expected, (trial, name)


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _tracebacks(text: str) -> bool:
    return "Traceback" in text
