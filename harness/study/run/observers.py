"""Observers: whoever wants to know how a study goes (MLflow, the display, a plugin's hooks).

They are fed from the journal, each by a thread of its own, so that none can hold up training or another
observer. One that raises is dropped and named at the end; the journal has what it missed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

from harness.contract.catalog import Catalog
from harness.contract.errors import MachineError
from harness.contract.types import Plan
from harness.study.journal.journal import (
    EPOCH,
    STUDY_FINISHED,
    STUDY_STARTED,
    TRIAL_FINISHED,
    TRIAL_STARTED,
    Event,
    History,
    Journal,
    TrialRecord,
)
from harness.study.results.results import read_results

POLL_S = 0.1


@runtime_checkable
class Observer(Protocol):
    """What is told of a study's events, in the driver's process.

    You must write: `event`, called with every event of the journal from its first on, in order, on a
    thread of the observer's own; a resumed study is told from its beginning again, so what was already
    dealt with is known by its offset. `close`, called once: finish within `timeout_s`.
    """

    def event(self, event: Event) -> None:
        """Takes one event."""

    def close(self, timeout_s: float) -> int:
        """Finishes what can be finished in time, and says how many events are left undone."""


class Feed:
    """Feeds observers from a journal while a `with` block lasts, and drains them at its end.

    Args:
        journal: read only.
        observers: each gets a thread.
        timeout_s: how long the end of the block waits for each observer.
    """

    def __init__(self, journal: Journal, observers: Sequence[Observer], timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._followers = [_Follower(journal, observer, self._stop) for observer in observers]
        self.unsent = 0
        self.failures: list[str] = []

    def __enter__(self) -> Feed:
        for follower in self._followers:
            follower.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        for follower in self._followers:
            follower.join(self._timeout_s)
            self.unsent += follower.observer.close(self._timeout_s)
            if follower.is_alive():  # a hook that hangs, or writes for long: it ends with this process
                follower.failure = f"{type(follower.observer).__name__} was not done after {self._timeout_s:g} s"
            if follower.failure:
                self.failures.append(follower.failure)


class _Follower(threading.Thread):
    """Reads the journal to its end, again and again, until it is told to stop."""

    def __init__(self, journal: Journal, observer: Observer, stop: threading.Event) -> None:
        super().__init__(name=f"observer {type(observer).__name__}", daemon=True)
        self.observer = observer
        self.failure = ""
        self._journal, self._stop_asked = journal, stop

    def run(self) -> None:
        """Feeds until stopped; the last round is after the stop, so that nothing written before it is missed."""
        offset, last = 0, False
        while not last:
            last = self._stop_asked.wait(POLL_S)
            try:
                events = self._journal.read(offset)
            except (OSError, MachineError) as error:  # of a network's disk it may pass
                self.failure = f"{type(self.observer).__name__} could not read the journal: {error}"
                continue
            self.failure = ""
            for event in events:
                offset = event.offset
                try:
                    self.observer.event(event)
                except Exception as error:
                    self.failure = f"{type(self.observer).__name__} stopped: {type(error).__name__}: {error}"
                    return


class HookObserver:
    """Passes what happens now (not what a resumed study already told) to the plugins' observing hooks.

    Args:
        catalog: whose plugins are told; one that raises is remembered there.
        plan: handed to the hooks.
        folder: the study's results, for the hook at its end.
        since: offset of the journal at the start of this run; events up to it are old.
    """

    def __init__(self, catalog: Catalog, plan: Plan, folder: Path, since: int = 0) -> None:
        self._catalog, self._plan, self._folder, self._since = catalog, plan, folder, since
        self._history = History()

    def event(self, event: Event) -> None:
        """Calls the hook that belongs to the event, if there is one."""
        self._history.add(event)
        name = event.data.get("trial", "")
        if event.offset > self._since:
            self._tell(event, self._history.trials.get(name))
        if event.kind == TRIAL_FINISHED:
            self._history.trials.pop(name, None)  # a thousand ended trials need not stay in memory

    def _tell(self, event: Event, record: TrialRecord | None) -> None:
        if event.kind == STUDY_STARTED:
            self._catalog.notify("harness_study_started", plan=self._plan)
        elif event.kind == STUDY_FINISHED:
            results = read_results(self._folder, self._catalog)
            self._catalog.notify("harness_study_finished", plan=self._plan, results=results)
        elif record is None:
            return
        elif event.kind == TRIAL_STARTED:
            self._catalog.notify("harness_trial_started", trial=record.spec)
        elif event.kind == EPOCH:
            self._catalog.notify("harness_epoch_finished", trial=record.spec, epoch=record.epochs[-1])
        elif event.kind == TRIAL_FINISHED and record.result:
            result = replace(record.result, files={})  # their bytes stayed on the disk
            self._catalog.notify("harness_trial_finished", trial=record.spec, result=result)

    def close(self, timeout_s: float) -> int:
        """Nothing is left undone."""
        return 0
