"""One trial as its events describe it; `TrialRecord.after` is the reducer of one trial. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from harness.contract.types import WEIGHTS, Epoch, TrialResult, TrialSpec
from harness.study.journal.journal import EPOCH, TRIAL_FINISHED, TRIAL_INTERRUPTED, TRIAL_MEASURED, TRIAL_STARTED, Event


@dataclass(frozen=True)
class TrialRecord:
    """What is known of one trial.

    Args:
        spec: what is trained.
        epochs: by number; where a resumed trial repeats some, its latest.
        result: how it ended, or None.
        started: when a worker first began it, in seconds since 1970.
        finished: when it ended.
        interrupted: True from an interruption to the next start.
        deaths: number of interruptions in which its worker died.
        furthest: the highest epoch number so far.
    """

    spec: TrialSpec
    epochs: tuple[Epoch, ...] = ()
    result: TrialResult | None = None
    started: float | None = None
    finished: float | None = None
    interrupted: bool = False
    deaths: int = 0
    furthest: int = 0

    @property
    def state(self) -> str:
        """One of complete, pruned, failed, and running while no end is written."""
        return self.result.state if self.result else "running"

    @property
    def running(self) -> bool:
        """True if a worker has begun the trial, and it was neither ended nor interrupted since."""
        return self.started is not None and not self.interrupted and self.result is None

    def after(self, event: Event) -> TrialRecord:
        """Return the record after one more event of the trial."""
        change = _CHANGES.get(event.kind)
        return change(self, event) if change else self


def _started(record: TrialRecord, event: Event) -> TrialRecord:
    return replace(record, started=record.started or event.time, interrupted=False)


def _epoch(record: TrialRecord, event: Event) -> TrialRecord:
    epoch = Epoch(**{name: value for name, value in event.data.items() if name != "trial"})
    # A resumed trial may repeat an epoch whose checkpoint was not yet written.
    earlier = [old for old in record.epochs if old.number < epoch.number]
    return replace(record, epochs=(*earlier, epoch), furthest=max(record.furthest, epoch.number))


def _interrupted(record: TrialRecord, event: Event) -> TrialRecord:
    return replace(record, interrupted=True, deaths=record.deaths + bool(event.data.get("died")))


def _finished(record: TrialRecord, event: Event) -> TrialRecord:
    if record.result is not None:
        return record
    values = {name: value for name, value in event.data.items() if name not in ("trial", "files")}
    values["notes"] = tuple(values.get("notes", ()))
    result = TrialResult(**values, files=dict.fromkeys(event.data.get("files", ()), b""))
    return replace(record, result=result, finished=event.time)


def _measured(record: TrialRecord, event: Event) -> TrialRecord:
    data, result = event.data, record.result
    if result is None:
        return record
    again = dict.fromkeys(data["files"], b"")
    kept = {WEIGHTS: b""} if WEIGHTS in result.files and again else result.files
    result = replace(result, metrics={**result.metrics, **data["metrics"]}, files={**kept, **again})
    tables = data.get("metric_tables", {})
    spec = replace(record.spec, metrics=tuple(data["names"]), metric_tables=tables, explain=data["explain"])
    return replace(record, spec=spec, result=result)


_CHANGES: Mapping[str, Callable[[TrialRecord, Event], TrialRecord]] = {
    TRIAL_STARTED: _started,
    EPOCH: _epoch,
    TRIAL_INTERRUPTED: _interrupted,
    TRIAL_FINISHED: _finished,
    TRIAL_MEASURED: _measured,
}
