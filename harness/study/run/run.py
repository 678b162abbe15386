"""Runs a study from where its journal stands to its end, or to whatever stops it, and says how it ended."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.contract.catalog import Catalog
from harness.contract.errors import HarnessError, Interrupted, MachineError
from harness.contract.types import WEIGHTS, Plan, Workspace, kind_of
from harness.study.journal.plan_io import plan_to_json
from harness.study.journal.writing import write_file
from harness.study.run.conductor import Conductor
from harness.study.run.derive import average, measured_again, read_systems
from harness.study.run.lock import StudyLock
from harness.study.run.observers import Feed, Observer
from harness.study.run.tuning import Proposer, Tuner

if TYPE_CHECKING:
    from harness.config.settings import Settings

CTRL_C = "interrupted by the user"


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        exit_code: 0 done, 1 some variant failed, 2 the input is wrong, 3 the machine failed, 130 interrupted.
        failed: names of the variants that failed.
        message: for the user, one line or more; empty where all went well.
        unsent: events that observers could not deliver in time.
        reasons: why each of `failed` did.
    """

    exit_code: int
    failed: tuple[str, ...] = ()
    message: str = ""
    unsent: int = 0
    reasons: dict[str, str] = field(default_factory=dict)


def run_study(
    plan: Plan,
    settings: Settings,
    catalog: Catalog,
    tuner: Tuner,
    proposer: Proposer,
    observers: Sequence[Observer] = (),
    time_limit_s: float | None = None,
) -> Outcome:
    """Runs or resumes the plan's study; a finished one is left as it is.

    Args:
        plan: what is to be run; its results stand below `settings.results`.
        settings: where things are, and how many trials run at a time.
        catalog: for tuners that run trials in this process.
        tuner: runs the trials.
        proposer: where configurations come from.
        observers: told of every event; none can hold up training.
        time_limit_s: ends the run, resumable, as Ctrl-C does.

    Raises:
        InputError: the study is being run by another process.
        MachineError: what an earlier run left running cannot be ended.
    """
    folder = settings.results / plan.directory
    with StudyLock(folder) as lock:
        conductor = Conductor(plan, folder, proposer, settings.results / "ledger.jsonl", lock.remember)
        feed = Feed(conductor.journal, observers)
        workspace = Workspace(
            data=settings.data,
            cache=settings.cache,
            checkpoints=folder / "checkpoints",
            device=settings.device,
            threads=settings.threads,
        )
        with feed, _stopped_by_signals(conductor), _time_limit(conductor, time_limit_s):

            def work() -> None:
                read_systems(conductor, catalog, settings.data)  # first: a bad table is told before hours of training
                if not conductor.trained:
                    tuner.run(conductor, catalog, workspace, settings.concurrent)
                if conductor.trained:
                    average(conductor, catalog)
                if conductor.complete:
                    _measure(conductor, catalog, workspace)

            error = _attempt(conductor, work)
    return _outcome(conductor, error, feed)


def _attempt(conductor: Conductor, run: Callable[[], None]) -> HarnessError | None:
    """Runs, and closes the journal whatever happens; a bug of ours is raised after that."""
    error: HarnessError | None = None
    opened = False
    conductor.load()
    text = plan_to_json(conductor.plan)
    try:
        # Also of a finished study: question, baseline and the variants shown are no part of its identity.
        write_file(conductor.folder / "plan.json", text.encode())
        if conductor.history.finished and conductor.done:
            return None
        conductor.open(json.loads(text))
        opened = True
        run()
    except HarnessError as caught:
        error = caught
        conductor.stop(str(caught))
    except KeyboardInterrupt:
        conductor.stop(CTRL_C)
    except BaseException as caught:
        conductor.stop(f"an error of the harness: {type(caught).__name__}: {caught}")
        raise
    finally:
        if opened:
            try:
                conductor.close()
            except MachineError as caught:  # the disk that stopped the run is still full: resuming copes without
                error = error or caught
    return error


def _measure(conductor: Conductor, catalog: Catalog, workspace: Workspace) -> None:
    """Computes from saved weights what the study came to ask for after its confirmations were trained."""
    for spec in conductor.unmeasured():
        if kind_of(spec.tree) != "trained":
            conductor.measured(spec, measured_again(conductor, spec, catalog))
            continue
        from harness.trial.trial import measure  # torch, which a finished study does without

        if conductor.stopping:
            return
        weights = conductor.folder / "trials" / spec.id / WEIGHTS
        try:
            opening = partial(conductor.opening, spec.id)
            with conductor.interruptible():
                result = measure(spec, catalog, workspace, weights.read_bytes(), opening)
            conductor.measured(spec, result)
        except OSError as error:
            raise MachineError(f"{weights}: cannot be read: {error.strerror}") from error


def _outcome(conductor: Conductor, error: HarnessError | None, feed: Feed) -> Outcome:
    reasons = conductor.progress.failures() if conductor.complete else {}
    lines = list(feed.failures)
    if error is not None:
        code = error.exit_code
        lines.insert(0, f"{error}{_again(code)}")
    elif not conductor.done:
        code = Interrupted.exit_code
        lines.insert(0, f"{conductor.reason or 'the run ended early'}{_again(code)}")
    else:
        code = 1 if reasons else 0
        lines.extend(f"{name} failed: {reason.splitlines()[-1]}" for name, reason in reasons.items())
    return Outcome(code, tuple(reasons), "\n".join(lines), feed.unsent, reasons)


def _again(code: int) -> str:
    return "" if code == 2 else "; the same command goes on from here"


@contextmanager
def _stopped_by_signals(conductor: Conductor) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a terminal that closes end the run in good order; a second Ctrl-C ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        if conductor.stopping and conductor.reason == CTRL_C:
            raise KeyboardInterrupt
        conductor.stop(CTRL_C if number == signal.SIGINT else f"ended by signal {number}")
        conductor.break_off()

    ending = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup: the terminal may go
        ending.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in ending}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _time_limit(conductor: Conductor, seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return

    def end() -> None:
        conductor.stop(f"the time limit of {seconds:g} s is over")
        if handled:  # the handler above breaks off what runs in the main thread
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    handled = threading.current_thread() is threading.main_thread()
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
