"""Costs of the driver: seconds for each trial around an empty training loop, and memory for each recorded trial."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.settings import Settings
from harness.contract.types import Plan
from harness.study.run.observers import Observer
from harness.study.run.run import run_study
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import CATALOG, RUN, scripted_plan

_MODEL = {"quality": {"float": [0.1, 0.9]}}


@dataclass(frozen=True)
class Overhead:
    """Seconds from the end of one trial to the end of the next.

    Args:
        first_s: from the start of the run to the end of the first trial, including the start of Ray.
    """

    trials: int
    median_s: float
    mean_s: float
    first_s: float


def trial_overhead(trials: int = 60, tracked: bool = True) -> Overhead:
    """Run empty trials of one epoch through Ray and Optuna on SQLite, one at a time.

    Args:
        trials: number of searched trials.
        tracked: True to write them to MLflow on SQLite as well, as for a user.
    """
    with tempfile.TemporaryDirectory() as folder:
        plan, settings = scripted_plan({"a": _MODEL}, trials=trials, epochs=1), _settings(Path(folder))
        _run(plan, settings, _mlflow(plan, settings) if tracked else [])
        lines = (settings.results / plan.directory / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    ends = [event["time"] for event in events if event["kind"] == "trial_finished"]
    gaps = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    return Overhead(len(ends), statistics.median(gaps), statistics.mean(gaps), ends[0] - events[0]["time"])


def driver_memory(first: int = 100, last: int = 1000) -> float:
    """Return the MB by which the driver's memory grows between its `first` and its `last` recorded trial.

    Each trial has a file of 200 kB. The driver is a process of its own, so that nothing else is measured.
    """
    command = [sys.executable, __file__, "--memory", str(first), str(last)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


class _Meter:
    """An observer that records the driver's memory after given numbers of trials."""

    def __init__(self, marks: Sequence[int]) -> None:
        self.ended, self.bytes, self._marks = 0, [], marks

    def event(self, event: Any) -> None:
        import psutil

        self.ended += event.kind == "trial_finished"
        if event.kind == "trial_finished" and self.ended in self._marks:
            self.bytes.append(psutil.Process().memory_info().rss)

    def close(self, timeout_s: float) -> int:
        return 0


def _measure_memory(first: int, last: int) -> float:
    meter = _Meter((first, last))
    with tempfile.TemporaryDirectory() as folder:
        plan = scripted_plan({"a": {**_MODEL, "bytes": 200_000}}, trials=last, epochs=3)
        settings = _settings(Path(folder))
        _run(plan, settings, [*_mlflow(plan, settings), meter])
    return (meter.bytes[1] - meter.bytes[0]) / 1e6


def _run(plan: Plan, settings: Settings, observers: Sequence[Observer]) -> None:
    from harness.adapters.optuna.search import OptunaSampler
    from harness.adapters.ray.tuner import RayTuner

    sampler = OptunaSampler(f"sqlite:///{settings.results / plan.directory / 'optuna.db'}")
    outcome = run_study(plan, settings, tiny_catalog(), RayTuner(RUN, CATALOG), sampler, observers)
    assert outcome.exit_code == 0, outcome


def _mlflow(plan: Plan, settings: Settings) -> list[Observer]:
    from harness.adapters.mlflow.store import MlflowObserver
    from harness.config.tracking import artifact_root, tracking_uri

    folder = settings.results / plan.directory
    return [MlflowObserver(tracking_uri(settings), folder, artifact_root(settings))]


def _settings(folder: Path) -> Settings:
    return Settings(data=folder, results=folder / "results", cache=folder / "cache", device="cpu")


if __name__ == "__main__":
    if "--memory" in sys.argv:
        print(_measure_memory(*map(int, sys.argv[2:])))
    else:
        print(trial_overhead())
        print(f"{driver_memory():.1f} MB")
