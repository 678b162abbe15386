"""A metric that a study names later is computed from the saved weights; nothing is trained again."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import MetricRecord, hookimpl
from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.contract.errors import MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan
from harness.study.journal.journal import STUDY_FINISHED, STUDY_PAUSED, TRIAL_FINISHED, TRIAL_MEASURED, Journal
from harness.study.results.results import read_results
from harness.study.run.run import run_study
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import scripted_plan


def mean_score(terms: Any, /) -> Any:
    return terms.scores


def breaks_in(terms: Any, /) -> Any:
    """The mean score, of a measuring that is told to end, or fails, once: while the file says so."""
    if Later.breaks == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    elif Later.breaks == "disk":
        raise MachineError("the disk is full")
    return terms.scores


def record(name: str, build: Any) -> MetricRecord:
    return MetricRecord(name=name, build=build, label=name, summary="the mean of all scores", reads="scores")


class Later:
    breaks = ""

    @hookimpl
    def harness_metrics(self) -> list[MetricRecord]:
        return [record("mean_score", mean_score), record("breaks_in", breaks_in)]


def catalog() -> Catalog:
    found = tiny_catalog()
    found.register(Later())
    return found


def run(plan: Plan, folder: Path, exit_code: int = 0) -> Path:
    settings = Settings(data=folder, results=folder / "results", cache=folder / "cache", device="cpu")
    target = settings.results / plan.directory
    target.mkdir(parents=True, exist_ok=True)
    sampler = OptunaSampler(f"sqlite:///{target / 'optuna.db'}")
    outcome = run_study(plan, settings, catalog(), InlineTuner(), sampler)
    assert outcome.exit_code == exit_code, outcome
    return target


def kinds(folder: Path) -> list[str]:
    return [event.kind for event in Journal(folder / "journal.jsonl").read()]


def test_a_metric_named_later_is_computed_from_the_weights_and_nothing_is_trained(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=1, seeds=(0, 1))
    folder = run(plan, tmp_path)
    weights = {path: path.read_bytes() for path in folder.glob("trials/*/weights.safetensors")}
    assert kinds(folder).count(TRIAL_FINISHED) == 3 and len(weights) == 2

    asked = replace(plan, metrics=("auroc", "mean_score"))
    run(asked, tmp_path)
    found = read_results(folder, catalog())
    confirmed = [record for record in found.state.trials.values() if record.spec.stage == "confirm"]
    assert all(0 < record.result.metrics["test/mean_score"] < 1 for record in confirmed if record.result)
    assert all("test/auroc" in record.result.metrics for record in confirmed if record.result)
    assert kinds(folder).count(TRIAL_FINISHED) == 3 and kinds(folder).count(TRIAL_MEASURED) == 2
    assert weights == {path: path.read_bytes() for path in weights}

    run(asked, tmp_path)
    assert kinds(folder).count(TRIAL_MEASURED) == 2, "what was measured is not measured again"


def test_measuring_again_is_another_opening_of_the_test_split(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=1, seeds=(0,))
    run(plan, tmp_path)
    run(replace(plan, metrics=("auroc", "mean_score")), tmp_path)
    lines = (tmp_path / "results" / "ledger.jsonl").read_text().splitlines()
    assert len(lines) == 2 and len({json.loads(line)["trial"] for line in lines}) == 1


def test_a_finished_study_takes_a_new_question_without_running_anything(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=1, seeds=(0,))
    folder = run(plan, tmp_path)
    before = kinds(folder)
    run(replace(plan, question="and now?"), tmp_path)
    assert kinds(folder) == before
    assert read_results(folder, catalog()).plan.question == "and now?"


def test_faithfulness_asked_for_later_is_measured_from_the_weights_and_read_as_tables(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=1, seeds=(0,))
    folder = run(plan, tmp_path)
    assert read_results(folder, catalog()).faithfulness.empty
    run(replace(plan, explain={"use": [], "images": 2, "faithfulness": {"use": ["zero"], "images": 4}}), tmp_path)
    assert kinds(folder).count(TRIAL_MEASURED) == 1
    found = read_results(folder, catalog())
    assert found.faithfulness["level"].tolist() == [0.5, 0.65, 0.8] and (found.faithfulness["n"] == 4).all()
    chart = found.decisions()
    assert chart["map"].tolist() == ["native"] * 3 and chart["accuracy"].between(0, 1).all()
    assert chart["focus"].between(0, 1).all()


@pytest.mark.parametrize(("breaks", "exit_code"), [("signal", 130), ("disk", 3)])
def test_a_measuring_that_is_broken_off_is_taken_up_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: str, exit_code: int
) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=1, seeds=(0, 1))
    run(plan, tmp_path)
    asked = replace(plan, metrics=("auroc", "breaks_in"))
    monkeypatch.setattr(Later, "breaks", breaks)
    folder = run(asked, tmp_path, exit_code)
    assert kinds(folder)[-1] == STUDY_PAUSED and not kinds(folder).count(TRIAL_MEASURED)
    assert not read_results(folder, catalog()).finished

    monkeypatch.setattr(Later, "breaks", "")
    run(asked, tmp_path)
    assert kinds(folder)[-1] == STUDY_FINISHED and kinds(folder).count(TRIAL_MEASURED) == 2


def test_tables_that_are_no_longer_asked_for_are_taken_away(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=1, seeds=(0,))
    faithful = {"use": [], "images": 2, "faithfulness": {"use": ["zero"], "images": 4}}
    folder = run(replace(plan, explain=faithful), tmp_path)
    assert not read_results(folder, catalog()).faithfulness.empty
    run(replace(plan, explain={"use": [], "images": 2}), tmp_path)
    assert read_results(folder, catalog()).faithfulness.empty
    assert list(folder.glob("trials/*/weights.safetensors")) and not list(folder.glob("trials/*/faithfulness*"))
