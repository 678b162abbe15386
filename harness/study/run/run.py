"""Runs a study from where its journal ends until it is done or stopped, and tells how the run ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from harness.contract.errors import HarnessError, Interrupted, MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import WEIGHTS, Plan, Workspace, kind_of
from harness.study.journal.plan_io import plan_to_json
from harness.study.journal.progress import Progress
from harness.study.journal.writing import write_file
from harness.study.run import policy
from harness.study.run.derive import average, measured_again, read_external
from harness.study.run.driver import Driver, Tuner
from harness.study.run.lock import StudyLock
from harness.study.run.observers import Feed, Observer
from harness.study.run.recorder import Recorder
from harness.study.run.stopping import CTRL_C, stopped_by_signals, time_limit
from harness.study.run.tuning import Sampler

if TYPE_CHECKING:
    from harness.config.settings import Settings


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
    sampler: Sampler,
    observers: Sequence[Observer] = (),
    time_limit_s: float | None = None,
) -> Outcome:
    """Run or resume the plan's study; a finished one is left as it is.

    Args:
        plan: what is to be run; its results are below `settings.results`.
        settings: where things are, and how many trials run at a time.
        catalog: for tuners that run trials in this process.
        tuner: runs the trials.
        sampler: where configurations come from.
        observers: receive every event; none can hold up training.
        time_limit_s: ends the run, resumable, as Ctrl-C does.

    Raises:
        InputError: the study is being run by another process.
        MachineError: what an earlier run left running cannot be ended.
    """
    folder = settings.results / plan.directory
    with StudyLock(folder) as lock:
        driver = Driver(plan, sampler, Recorder(folder, settings.results / "ledger.jsonl"), lock.remember)
        feed = Feed(driver.recorder.journal, observers)
        workspace = Workspace(
            data=settings.data,
            cache=settings.cache,
            checkpoints=folder / "checkpoints",
            device=settings.device,
            threads=settings.threads,
        )
        with feed, stopped_by_signals(driver.stop), time_limit(driver.stop, time_limit_s):

            def work() -> None:
                read_external(plan, driver.recorder, catalog, settings.data)  # first: hours of training come after it
                if not policy.is_trained(plan, driver.state):
                    tuner.run(driver, catalog, workspace, settings.concurrent)
                if policy.is_trained(plan, driver.state):
                    average(plan, driver.recorder, catalog)
                if policy.is_complete(plan, driver.state):
                    _measure(driver, catalog, workspace)

            error = _attempt(driver, work)
    return _outcome(driver, error, feed)


def _attempt(driver: Driver, run: Callable[[], None]) -> HarnessError | None:
    """Run, and close the journal in any case; a bug of the harness is raised after that."""
    error: HarnessError | None = None
    opened = False
    driver.recorder.load()
    text = plan_to_json(driver.plan)
    try:
        # Also of a finished study: question, baseline and the variants shown are no part of its identity.
        write_file(driver.recorder.folder / "plan.json", text.encode())
        if driver.state.finished and policy.is_done(driver.plan, driver.state):
            return None
        driver.open(json.loads(text))
        opened = True
        run()
    except HarnessError as caught:
        error = caught
        driver.stop.ask(str(caught))
    except KeyboardInterrupt:
        driver.stop.ask(CTRL_C)
    except BaseException as caught:
        driver.stop.ask(f"an error of the harness: {type(caught).__name__}: {caught}")
        raise
    finally:
        if opened:
            try:
                driver.close()
            except MachineError as caught:  # the disk that stopped the run is still full: resuming copes without
                error = error or caught
    return error


def _measure(driver: Driver, catalog: Catalog, workspace: Workspace) -> None:
    """Compute from saved weights what the study asks for since its confirmations were trained."""
    recorder = driver.recorder
    for spec in Progress(driver.plan, driver.state).unmeasured():
        folder = recorder.folder / "trials" / spec.id
        if kind_of(spec.tree) != "trained":
            recorder.measured(spec, measured_again(folder, spec, catalog))
            continue
        from harness.trial.trial import measure  # torch, which a finished study does without

        if driver.stop:
            return
        weights = folder / WEIGHTS
        try:
            with driver.stop.interruptible():
                opening = partial(recorder.opening, spec.id)
                result = measure(spec, catalog, workspace, weights.read_bytes(), opening)
            recorder.measured(spec, result)
        except OSError as error:
            raise MachineError(f"{weights}: cannot be read: {error.strerror}") from error


def _outcome(driver: Driver, error: HarnessError | None, feed: Feed) -> Outcome:
    plan, state = driver.plan, driver.state
    reasons = Progress(plan, state).failures() if policy.is_complete(plan, state) else {}
    lines = list(feed.failures)
    if error is not None:
        code = error.exit_code
        lines.insert(0, f"{error}{_again(code)}")
    elif not policy.is_done(plan, state):
        code = Interrupted.exit_code
        lines.insert(0, f"{driver.stop.reason or 'the run ended early'}{_again(code)}")
    else:
        code = 1 if reasons else 0
        lines.extend(f"{name} failed: {reason.splitlines()[-1]}" for name, reason in reasons.items())
    lines.extend(Progress(plan, state).notes())
    return Outcome(code, tuple(reasons), "\n".join(lines), feed.unsent, reasons)


def _again(code: int) -> str:
    return "" if code == 2 else "; the same command goes on from here"
