"""What a plugin that observes a study is told, and in which order."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

from harness import hookimpl
from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider
from harness.study.journal.journal import STUDY_STARTED, Event, Journal
from harness.study.results.results import read_results
from harness.study.run.observers import Feed, HookObserver
from harness.study.run.run import run_study
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
    (plugin,) = catalog.observers()
    observer = HookObserver(catalog, plugin, plan, lambda: read_results(folder, catalog), 0)
    sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
    run_study(plan, settings, catalog, InlineTuner(), sampler, [observer])
    assert diary.lines == [
        "study scripted",
        *("search started", "search epoch 1", "search epoch 2", "search complete"),
        *("confirm started", "confirm epoch 1", "confirm epoch 2", "confirm complete"),
        "finished with 1 variant",
    ]
    assert [broken.reason for broken in catalog.broken] == []


class Heard:
    """An observer that keeps what it was told, and takes its time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.kinds: list[str] = []
        self._seconds = seconds

    def event(self, event: Event) -> None:
        time.sleep(self._seconds)
        self.kinds.append(event.kind)

    def close(self, timeout_s: float) -> int:
        return 0


class Stuttering(Journal):
    """A journal on a disk that cannot be read at every second try."""

    tries = 0

    def read(self, offset: int = 0) -> list[Event]:
        self.tries += 1
        if self.tries % 2:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return super().read(offset)


def test_a_disk_that_stutters_costs_an_observer_nothing(tmp_path: Path) -> None:
    journal, heard = Stuttering(tmp_path / "journal.jsonl"), Heard()
    with Feed(journal, [heard]) as feed:
        for number in range(6):
            journal.append("note", number=number)
            time.sleep(0.15)
        tries = journal.tries
        while journal.tries < tries + 2:
            time.sleep(0.01)
    assert heard.kinds == ["note"] * 6
    assert not feed.failures or "could not read the journal" in feed.failures[0]  # of its last try alone


def test_an_observer_that_is_not_done_in_time_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("note", number=0)
    with Feed(journal, [Heard(seconds=3.0)], timeout_s=0.2) as feed:
        time.sleep(0.3)
    assert feed.failures == ["Heard did not finish within 0.2 s"]


class Dawdling:
    """A plugin whose hook takes its time, or never comes back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @hookimpl
    def harness_study_started(self, plan: Any) -> None:
        time.sleep(self._seconds)


def dawdled(tmp_path: Path, seconds: float, timeout_s: float) -> tuple[list[str], list[str]]:
    """Return what a feed says of a plugin that dawdles, and what another plugin hears meanwhile."""
    plan, catalog, diary = scripted_plan({"a": {"use": "tiny_cnn"}}), Catalog(), Diary()
    catalog.register(Dawdling(seconds), Provider("slow", "acme-watch", "0.1"))
    catalog.register(diary, Provider("diary", "acme-diary", "0.2"))
    journal = Journal(tmp_path / "journal.jsonl")
    observers = [HookObserver(catalog, name, plan, list) for name in catalog.observers()]
    with Feed(journal, observers, timeout_s) as feed:
        journal.append(STUDY_STARTED, plan=None, attempt=1, pid=1, host="here")
        while not diary.lines:
            time.sleep(0.01)
        time.sleep(min(seconds, 0.2) + 0.1)
    return feed.failures, diary.lines


def test_a_plugin_that_is_slower_than_its_limit_is_named_with_its_distribution(tmp_path: Path) -> None:
    failures, _ = dawdled(tmp_path, seconds=0.2, timeout_s=0.05)
    assert len(failures) == 1 and failures[0].startswith("slow (acme-watch 0.1) took 0.")
    assert failures[0].endswith(" s for one event, and should take at most 0.05 s")


def test_a_plugin_that_hangs_is_named_and_keeps_no_other_plugin_waiting(tmp_path: Path) -> None:
    failures, heard = dawdled(tmp_path, seconds=5.0, timeout_s=0.05)
    assert failures == ["slow (acme-watch 0.1) did not finish within 0.05 s"]
    assert heard == ["study scripted"]
