"""Observers of a running study: MLflow, the display, a plugin's hooks.

A thread for each observer reads the journal, so that none can delay training or another observer. An observer that
raises is dropped and named at the end; the journal has the events that it missed. Each plugin is one observer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from harness.contract.errors import MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan
from harness.study.journal.journal import (
    EPOCH,
    STUDY_FINISHED,
    STUDY_STARTED,
    TRIAL_FINISHED,
    TRIAL_STARTED,
    Event,
    Journal,
)
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord

POLL_S = 0.1


@runtime_checkable
class Observer(Protocol):
    """An observer that receives a study's events in the driver's process.

    You may write: `name`, for messages. You must write: `event`, called with every event of the journal from the
    first, in order, on the observer's thread. The events of a resumed study come from its beginning again: compare
    their offsets. `close`, called once: finish within `timeout_s`.
    """

    def event(self, event: Event) -> None:
        """Handle one event."""

    def close(self, timeout_s: float) -> int:
        """Finish within the time, and return the number of unhandled events."""


class Feed:
    """A feed of observers from a journal during a `with` block, which waits for them at its end.

    Args:
        journal: read only.
        observers: each gets a thread.
        timeout_s: how long the end of the block waits for the observers, and the longest that one event should take.
    """

    def __init__(self, journal: Journal, observers: Sequence[Observer], timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._followers = [_Follower(journal, observer, self._stop, timeout_s) for observer in observers]
        self.unsent = 0
        self.failures: list[str] = []

    def __enter__(self) -> Feed:
        for follower in self._followers:
            follower.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        deadline = time.monotonic() + self._timeout_s
        for follower in self._followers:
            follower.join(max(0.0, deadline - time.monotonic()))
            self.unsent += follower.observer.close(self._timeout_s)
            if follower.is_alive():  # a hook that hangs or writes for long ends with this process
                follower.failure = f"{follower.observer_name} did not finish within {self._timeout_s:g} s"
            if failure := follower.failure or follower.slow:
                self.failures.append(failure)


class _Follower(threading.Thread):
    """A thread that reads the journal to its end, repeatedly, until it is stopped."""

    def __init__(self, journal: Journal, observer: Observer, stop: threading.Event, limit_s: float) -> None:
        self.observer, self.observer_name = observer, str(getattr(observer, "name", type(observer).__name__))
        super().__init__(name=f"observer {self.observer_name}", daemon=True)
        self.failure = self.slow = ""
        self._journal, self._stop_asked, self._limit_s = journal, stop, limit_s

    def run(self) -> None:
        """Feed until stopped; the last round is after the stop, so that no event is missed."""
        offset, last = 0, False
        while not last:
            last = self._stop_asked.wait(POLL_S)
            try:
                events = self._journal.read(offset)
            except (OSError, MachineError) as error:  # a network disk may recover
                self.failure = f"{self.observer_name} could not read the journal: {error}"
                continue
            self.failure = ""
            for event in events:
                offset, started = event.offset, time.monotonic()
                try:
                    self.observer.event(event)
                except Exception as error:
                    self.failure = f"{self.observer_name} stopped: {type(error).__name__}: {error}"
                    return
                if (seconds := time.monotonic() - started) > self._limit_s:
                    took = f"took {seconds:.1f} s for one event, and should take at most {self._limit_s:g} s"
                    self.slow = self.slow or f"{self.observer_name} {took}"


class HookObserver:
    """An observer that passes new events of a run to the observing hooks of one plugin.

    Args:
        catalog: whose plugin is called; it is noted there if it raises.
        plugin: name of its entry point.
        plan: handed to the hooks.
        results: reads the study's results, for the hook at its end.
        since: offset of the journal at the start of this run; events up to it are old.
    """

    def __init__(self, catalog: Catalog, plugin: str, plan: Plan, results: Callable[[], Any], since: int = 0) -> None:
        self.name = str(catalog.providers[plugin])
        self._catalog, self._plugin, self._plan = catalog, plugin, plan
        self._results, self._since, self._state = results, since, StudyState(keep="open")

    def event(self, event: Event) -> None:
        """Call the hook of the event, if there is one."""
        record = self._state.apply(event)
        if event.offset <= self._since:
            return
        if event.kind == STUDY_STARTED:
            self._notify("harness_study_started", plan=self._plan)
        elif event.kind == STUDY_FINISHED:
            self._notify("harness_study_finished", plan=self._plan, results=self._results())
        elif record is not None:
            self._trial_event(event, record)

    def _trial_event(self, event: Event, record: TrialRecord) -> None:
        if event.kind == TRIAL_STARTED:
            self._notify("harness_trial_started", trial=record.spec)
        elif event.kind == EPOCH:
            self._notify("harness_epoch_finished", trial=record.spec, epoch=record.epochs[-1])
        elif event.kind == TRIAL_FINISHED and record.result:
            result = replace(record.result, files={})  # the files stay on the disk
            self._notify("harness_trial_finished", trial=record.spec, result=result)

    def _notify(self, hook: str, **arguments: Any) -> None:
        self._catalog.notify(hook, only=self._plugin, **arguments)

    def close(self, timeout_s: float) -> int:
        """Return 0: no event is left."""
        return 0
