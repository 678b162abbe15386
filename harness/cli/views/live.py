"""What is seen while a study runs: an ordinary observer of the journal, drawn live or printed as plain lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.views.numbers import figure
from harness.cli.views.rendering.grid import Grid
from harness.cli.views.variants import epochs_of, trials_of
from harness.contract.types import Objective, Plan
from harness.study.journal.journal import (
    EPOCH,
    STUDY_FINISHED,
    STUDY_PAUSED,
    STUDY_STARTED,
    TRIAL_ASKED,
    TRIAL_FINISHED,
    TRIAL_INTERRUPTED,
    TRIAL_STARTED,
    Event,
)

EVERY_S = 20.0
"""How often a plain line tells of an epoch."""


@dataclass
class Running:
    """A trial that was handed out."""

    variant: str
    stage: str
    number: int
    seed: int
    fold: int | None = None
    reader: str | None = None
    epoch: int = 0
    value: float = float("nan")
    going: bool = False


@dataclass
class Progress:
    """How far a study is, by its events alone.

    Args:
        plan: what is to be run.
    """

    plan: Plan
    trials: dict[str, Running] = field(default_factory=dict)
    ended: dict[tuple[str, str], int] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    state: str = "starting"
    _done: dict[str, float] = field(default_factory=dict)
    _began: float | None = None
    _before: float = 0.0

    def __post_init__(self) -> None:
        self._epochs = {variant.id: epochs_of(variant) for variant in self.plan.variants}
        self._total = float(
            sum(sum(trials_of(self.plan, variant)) * epochs_of(variant) for variant in self.plan.variants)
        )

    @property
    def objective(self) -> Objective:
        """What the best is measured by."""
        return self.plan.objective

    @property
    def share(self) -> float:
        """Share of all epochs that are behind us, in [0, 1]; a stopped trial's count as done."""
        return min(1.0, sum(self._done.values()) / self._total) if self._total else 1.0  # nothing is trained

    def left_s(self, now: float) -> float | None:
        """Seconds to the end at the pace of this run, or None before two epochs are done."""
        done = sum(self._done.values())
        if self._began is None or done - self._before < 2:
            return None
        return (self._total - done) * (now - self._began) / (done - self._before)

    def add(self, event: Event) -> None:
        """Takes one more event in."""
        name = event.data.get("trial", "")
        trial = self.trials.get(name)
        if event.kind == STUDY_STARTED:
            self.state, self._began, self._before = "starting", None, sum(self._done.values())
        elif event.kind in (STUDY_PAUSED, STUDY_FINISHED):
            self.state = "paused" if event.kind == STUDY_PAUSED else "finished"
        elif event.kind == TRIAL_ASKED:
            spec = event.data["spec"]
            if spec["variant_id"] in self._epochs:
                known = (spec["variant"], spec["stage"], spec["number"], spec["seed"], spec.get("fold"))
                self.trials[name] = Running(*known, spec.get("params", {}).get("reader"))
        elif trial is None:
            return
        elif event.kind == TRIAL_STARTED:
            trial.going, self.state = True, "running"
            self._began = self._began or event.time
        elif event.kind == EPOCH:
            trial.epoch, trial.value = event.data["number"], event.data["value"]
            self._done[name] = float(trial.epoch)
            self._note_best(trial, event.data["smoothed"])
        elif event.kind == TRIAL_INTERRUPTED:
            trial.going = False
        elif event.kind == TRIAL_FINISHED:
            self._end(name, event.data)

    def _note_best(self, trial: Running, value: float) -> None:
        if trial.stage == "search" and self.objective.better(value, self.best.get(trial.variant, float("nan"))):
            self.best[trial.variant] = value

    def _end(self, name: str, data: Mapping[str, Any]) -> None:
        trial = self.trials.pop(name)
        variant = next(variant for variant in self.plan.variants if variant.name == trial.variant)
        self._done[name] = float(self._epochs[variant.id])
        self.ended[trial.variant, trial.stage] = self.ended.get((trial.variant, trial.stage), 0) + 1
        self.failed += data["state"] == "failed"


class LiveDisplay:
    """Draws the state of the study in place, four times a second, from its first event on.

    Args:
        plan: what is to be run.
        console: a terminal.
        tracking: gives a few words on how far behind the tracking store is, or "".
    """

    def __init__(self, plan: Plan, console: Console, tracking: Callable[[], str]) -> None:
        self._progress, self._tracking, self._mutex = Progress(plan), tracking, threading.Lock()
        self._live = Live(get_renderable=self.draw, console=console, refresh_per_second=4, transient=True)

    def event(self, event: Event) -> None:
        """Takes one event."""
        with self._mutex:
            self._progress.add(event)
        if not self._live.is_started:
            self._live.start()

    def close(self, timeout_s: float) -> int:
        """Takes the display away."""
        self._live.stop()
        return 0

    def draw(self) -> RenderableType:
        """The display as it stands now."""
        with self._mutex:
            return draw(self._progress, time.time(), self._tracking())


def draw(progress: Progress, now: float, tracking: str) -> RenderableType:
    """A row for each running trial, then how far the study is."""
    numbers = ("epoch", "now", "best")
    table = Grid("variant", "trial", *numbers, right=numbers, keys=2, elsewhere="a wider terminal")
    for trial in [trial for trial in progress.trials.values() if trial.going]:
        epochs = next(epochs_of(variant) for variant in progress.plan.variants if variant.name == trial.variant)
        cells = [trial.variant, title(trial, progress.plan), f"{trial.epoch}/{epochs}", figure(trial.value)]
        table.add_row(*cells, figure(progress.best.get(trial.variant)))
    if not len(table):
        table.add_row(progress.state, "", "", "", "")
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(justify="right")
    bar.add_row(ProgressBar(total=1.0, completed=progress.share), Text(summary(progress, now, tracking)))
    return Group(Text(f"{progress.objective.metric} of {progress.plan.study}", "bold"), table, bar)


def summary(progress: Progress, now: float, tracking: str) -> str:
    """`31 %, about 12 min left, 2 failed, tracking: 312 events behind`."""
    left = progress.left_s(now)
    parts = [f"{100 * progress.share:.0f} %", f"about {duration(left)} left" if left else ""]
    parts += [f"{progress.failed} failed" if progress.failed else "", tracking]
    return ", ".join(part for part in parts if part)


def title(trial: Running, plan: Plan) -> str:
    """`search 2/3`, `confirm seed 1`, `confirm seed 1 fold 2/5`, `floor seed 0`; folds are counted from 0."""
    if trial.reader:
        return trial.reader
    if trial.stage == "search":
        return f"search {trial.number + 1}/{plan.trials}"
    fold = "" if trial.fold is None else f" fold {trial.fold}/{plan.confirm.get('folds')}"
    return f"{trial.stage} seed {trial.seed}{fold}"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


class PlainDisplay:
    """Prints a line for each end of a trial, and now and then one for an epoch: for logs.

    Args:
        plan: what is to be run.
        console: where there is no terminal.
        tracking: as for `LiveDisplay`.
        since: offset of the journal at the start of this run; what was before is not told again.
    """

    def __init__(self, plan: Plan, console: Console, tracking: Callable[[], str], since: int = 0) -> None:
        self._progress, self._console, self._tracking, self._since = Progress(plan), console, tracking, since
        self._last = 0.0

    def event(self, event: Event) -> None:
        """Takes one event, and prints a line if it deserves one."""
        trial = self._progress.trials.get(event.data.get("trial", ""))
        self._progress.add(event)
        if event.offset <= self._since or trial is None:
            return
        name = f"{trial.variant} {title(trial, self._progress.plan)}"
        if event.kind == EPOCH and event.time - self._last >= EVERY_S:
            best = figure(self._progress.best.get(trial.variant))
            self._print(event, f"{name}: epoch {trial.epoch}, {figure(trial.value)} (best {best})")
        elif event.kind == TRIAL_INTERRUPTED:
            self._print(event, f"{name}: interrupted: {event.data['reason']}")
        elif event.kind == TRIAL_FINISHED:
            reason = f": {event.data['reason']}" if event.data["reason"] else ""
            ended = f"{event.data['state']}{reason}, {figure(event.data['value'])}"
            after = f" after {event.data['epochs']} epochs" if event.data["epochs"] else ""
            self._print(event, f"{name}: {ended}{after}")

    def close(self, timeout_s: float) -> int:
        """Nothing is left undone."""
        return 0

    def _print(self, event: Event, line: str) -> None:
        self._last = event.time
        clock = time.strftime("%H:%M:%S", time.localtime(event.time))
        words = f"{clock} {line} | {summary(self._progress, event.time, self._tracking())}"
        self._console.print(Text(words), soft_wrap=True)
