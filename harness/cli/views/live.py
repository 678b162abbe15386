"""The display of a running study: an ordinary observer of the journal, drawn live or printed as plain lines."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.rendering.grid import Grid
from harness.cli.views.numbers import three_digits
from harness.cli.views.variants import epochs_of, trials_of
from harness.contract.types import Plan, TrialSpec
from harness.study.journal.journal import (
    EPOCH,
    STUDY_STARTED,
    TRIAL_FINISHED,
    TRIAL_INTERRUPTED,
    Event,
)
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord

EVERY_S = 20.0
"""Time between two plain lines that report an epoch."""


class RunProgress:
    """The progress of a run: a view of a state, with the pace of the latest run."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.state = plan, StudyState(keep="open")
        self.epochs = {variant.id: epochs_of(variant) for variant in plan.variants}
        self._total = float(sum(sum(trials_of(plan, variant)) * self.epochs[variant.id] for variant in plan.variants))
        self._before = 0.0

    @property
    def open(self) -> list[TrialRecord]:
        """The plan's trials that have not ended."""
        known = [record for record in self.state.trials.values() if record.spec.variant_id in self.epochs]
        return [record for record in known if record.result is None]

    @property
    def failed(self) -> int:
        """Number of failed trials."""
        return sum(
            n for name in self.epochs for (_, state), n in self.state.tally(name).ended.items() if state == "failed"
        )

    @property
    def done(self) -> float:
        """Number of epochs that are over; all those of a pruned trial count."""
        ended = sum(epochs * self.state.tally(name).ended.total() for name, epochs in self.epochs.items())
        return float(ended + sum(record.epochs[-1].number for record in self.open if record.epochs))

    @property
    def share(self) -> float:
        """Share of all epochs that are over, in [0, 1]."""
        return min(1.0, self.done / self._total) if self._total else 1.0  # nothing is trained

    def left_s(self, now: float) -> float | None:
        """Return the seconds to the end at the pace of this run, or None before two epochs are done."""
        done, began = self.done, self.state.began
        if began is None or done - self._before < 2:
            return None
        return (self._total - done) * (now - began) / (done - self._before)

    def add(self, event: Event) -> TrialRecord | None:
        """Take one event in; return the record of its trial, if it is one of the plan's."""
        if event.kind == STUDY_STARTED:
            self._before = self.done
        record = self.state.apply(event)
        return record if record and record.spec.variant_id in self.epochs else None


class LiveDisplay:
    """A display of the study's state that is redrawn four times a second."""

    def __init__(self, plan: Plan, console: Console, tracking: Callable[[], str]) -> None:
        self._progress, self._tracking, self._mutex = RunProgress(plan), tracking, threading.Lock()
        self._live = Live(get_renderable=self.draw, console=console, refresh_per_second=4, transient=True)

    def event(self, event: Event) -> None:
        """Take one event."""
        with self._mutex:
            self._progress.add(event)
        if not self._live.is_started:
            self._live.start()

    def close(self, timeout_s: float) -> int:
        """Remove the display."""
        self._live.stop()
        return 0

    def draw(self) -> RenderableType:
        """Return the display as it is now."""
        with self._mutex:
            return draw(self._progress, time.time(), self._tracking())


def draw(progress: RunProgress, now: float, tracking: str) -> RenderableType:
    """Return a row for each running trial, then how far the study is."""
    numbers = ("epoch", "now", "best")
    table = Grid("variant", "trial", *numbers, right=numbers, keys=2, elsewhere="a wider terminal")
    for record in [record for record in progress.open if record.running]:
        key, number, value = record.spec.variant_id, *_latest(record)
        cells = [
            record.spec.variant,
            title(record.spec, progress.plan),
            f"{number}/{progress.epochs[key]}",
            three_digits(value),
        ]
        table.add_row(*cells, three_digits(progress.state.tally(key).best_epoch))
    if not len(table):
        table.add_row(progress.state.status, "", "", "", "")
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(justify="right")
    bar.add_row(ProgressBar(total=1.0, completed=progress.share), Text(summary(progress, now, tracking)))
    return Group(Text(f"{progress.plan.objective.metric} of {progress.plan.study}", "bold"), table, bar)


def summary(progress: RunProgress, now: float, tracking: str) -> str:
    """Return `31 %, about 12 min left, 2 failed, tracking: 312 events behind`."""
    left = progress.left_s(now)
    parts = [f"{100 * progress.share:.0f} %", f"about {duration(left)} left" if left else ""]
    parts += [f"{progress.failed} failed" if progress.failed else "", tracking]
    return ", ".join(part for part in parts if part)


def title(trial: TrialSpec, plan: Plan) -> str:
    """Return `search 2/3`, `confirm seed 1`, `confirm seed 1 fold 2/5`, `control seed 0`; folds are counted from 0."""
    if reader := trial.params.get("reader"):
        return str(reader)
    if trial.stage == "search":
        return f"search {trial.number + 1}/{plan.trials}"
    fold = "" if trial.fold is None else f" fold {trial.fold}/{plan.confirm.get('folds')}"
    return f"{trial.stage} seed {trial.seed}{fold}"


def duration(seconds: float) -> str:
    """Return `40 s`, `12 min`, `3 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class PlainDisplay:
    """A display for logs: a line for each end of a trial, and one for an epoch every EVERY_S seconds.

    Args:
        plan: what is to be run.
        console: not a terminal.
        tracking: as for `LiveDisplay`.
        since: offset of the journal at the start of this run; earlier events are not printed.
    """

    def __init__(self, plan: Plan, console: Console, tracking: Callable[[], str], since: int = 0) -> None:
        self._progress, self._console, self._tracking, self._since = RunProgress(plan), console, tracking, since
        self._last = 0.0

    def event(self, event: Event) -> None:
        """Take one event, and print a line for it where one is due."""
        record = self._progress.add(event)
        if event.offset <= self._since or record is None:
            return
        name = f"{record.spec.variant} {title(record.spec, self._progress.plan)}"
        if event.kind == EPOCH and event.time - self._last >= EVERY_S:
            best = three_digits(self._progress.state.tally(record.spec.variant_id).best_epoch)
            number, value = _latest(record)
            self._print(event, f"{name}: epoch {number}, {three_digits(value)} (best {best})")
        elif event.kind == TRIAL_INTERRUPTED:
            self._print(event, f"{name}: interrupted: {event.data['reason']}")
        elif event.kind == TRIAL_FINISHED:
            reason = f": {event.data['reason']}" if event.data["reason"] else ""
            ended = f"{event.data['state']}{reason}, {three_digits(event.data['value'])}"
            after = f" after {event.data['epochs']} epochs" if event.data["epochs"] else ""
            self._print(event, f"{name}: {ended}{after}")

    def close(self, timeout_s: float) -> int:
        """Return 0: nothing is left."""
        return 0

    def _print(self, event: Event, line: str) -> None:
        self._last = event.time
        clock = time.strftime("%H:%M:%S", time.localtime(event.time))
        words = f"{clock} {line} | {summary(self._progress, event.time, self._tracking())}"
        self._console.print(Text(words), soft_wrap=True)


def _latest(record: TrialRecord) -> tuple[int, float]:
    """Return number and value of the trial's latest epoch."""
    return (record.epochs[-1].number, record.epochs[-1].value) if record.epochs else (0, math.nan)
