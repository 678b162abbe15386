"""What a plugin that observes a study is told, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import hookimpl
from harness.adapters.inline import InlineTuner
from harness.adapters.optuna_search import OptunaProposer
from harness.study.observers import HookObserver
from harness.study.run import run_study
from harness.study.settings import Settings
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import scripted_plan


class Diary:
    def __init__(self) -> None:
        self.lines: list[str] = []

    @hookimpl
    def harness_study_started(self, plan: Any) -> None:
        self.lines.append(f"study {plan.study}")

    @hookimpl
    def harness_trial_started(self, trial: Any) -> None:
        self.lines.append(f"{trial.stage} started")

    @hookimpl
    def harness_epoch_finished(self, trial: Any, epoch: Any) -> None:
        self.lines.append(f"{trial.stage} epoch {epoch.number}")

    @hookimpl
    def harness_trial_finished(self, trial: Any, result: Any) -> None:
        self.lines.append(f"{trial.stage} {result.state}")

    @hookimpl
    def harness_study_finished(self, plan: Any, results: Any) -> None:
        self.lines.append(f"finished with {len(results.variants)} variant")


def test_a_plugin_sees_a_study_from_its_start_to_its_results(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=2, seeds=(0,))
    settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache", device="cpu")
    folder = settings.results / plan.directory
    folder.mkdir(parents=True)
    catalog, diary = tiny_catalog(), Diary()
    catalog.register(diary)
    observer = HookObserver(catalog, plan, folder, 0)
    proposer = OptunaProposer(f"sqlite:///{folder / 'optuna.db'}")
    run_study(plan, settings, catalog, InlineTuner(), proposer, [observer])
    assert diary.lines == [
        "study scripted",
        *("search started", "search epoch 1", "search epoch 2", "search complete"),
        *("confirm started", "confirm epoch 1", "confirm epoch 2", "confirm complete"),
        "finished with 1 variant",
    ]
    assert [broken.reason for broken in catalog.broken] == []
