"""The journal: an append-only file of what happened, written first and believed first.

Optuna, MLflow, the display and the report are fed from it; none of them is asked what is true.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.contract.errors import MachineError
from harness.contract.types import WEIGHTS, Epoch, TrialResult, TrialSpec

STUDY_STARTED = "study_started"
"""data: `plan` (its JSON), `attempt` (1, 2, …), `pid`, `host`."""
TRIAL_ASKED = "trial_asked"
"""data: `trial`, `spec`: it exists from now on, whatever happens."""
TRIAL_STARTED = "trial_started"
"""data: `trial`, `pid`: handed to a worker; once per attempt."""
EPOCH = "epoch"
"""data: `trial`, and the fields of Epoch."""
TRIAL_FINISHED = "trial_finished"
"""data: `trial`, and the fields of TrialResult; `files` lists names only."""
TRIAL_MEASURED = "trial_measured"
"""data: `trial`, `metrics`, `files`, `names` and `explain` (what was asked for): a finished confirmation was
tested again from its weights, for metrics or explainers that the study named later."""
TRIAL_INTERRUPTED = "trial_interrupted"
"""data: `trial`, `reason`: it will be handed out again, at no cost to the budget."""
STUDY_PAUSED = "study_paused"
"""data: `reason`: the run ended before its work did."""
STUDY_FINISHED = "study_finished"
"""data: none: every trial of the plan has ended."""


@dataclass(frozen=True)
class Event:
    """One line of the journal.

    Args:
        time: seconds since the epoch, as the driver's clock had it.
        offset: where the next event begins, in bytes; what an observer remembers.
    """

    kind: str
    time: float
    data: Mapping[str, Any]
    offset: int = 0


class Journal:
    """Appends events to a file and reads them back; one writer, any number of readers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, **data: Any) -> None:
        """Writes one event and waits until the disk has it.

        Raises:
            MachineError: the disk is full or the file cannot be written.
        """
        line = json.dumps({"kind": kind, "time": time.time(), **data}, default=_plain) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:
                end, rest = file.tell(), line.encode()
                try:
                    while rest:
                        rest = rest[file.write(rest) :]
                    os.fsync(file.fileno())
                except OSError:  # half a line must not stay: the next one would be glued to it
                    file.truncate(end)
                    raise
        except OSError as error:
            raise MachineError(f"{self.path}: cannot write the journal: {error.strerror}") from error

    def mend(self) -> None:
        """Cuts off a last line that was torn by a kill, so that the next append starts clean."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            with self.path.open("r+b") as file:
                file.truncate(end)

    def read(self, offset: int = 0) -> list[Event]:
        """The whole events from byte `offset` on; a torn last line is not one yet.

        Raises:
            MachineError: a whole line is no event; names the file and the line.
        """
        if not self.path.exists():
            return []
        events = []
        with self.path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    data = json.loads(line)
                    kind, when = data.pop("kind"), data.pop("time")
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    number = self._line_at(offset)
                    raise MachineError(f"{self.path}, line {number}: is no event of a journal: {error!r}") from error
                offset += len(line)
                events.append(Event(kind, when, data, offset))
        return events

    def _line_at(self, offset: int) -> int:
        """The number of the line that begins at that byte, as an editor counts them."""
        with self.path.open("rb") as file:
            return file.read(offset).count(b"\n") + 1


@dataclass
class TrialRecord:
    """What the journal says of one trial."""

    spec: TrialSpec
    epochs: list[Epoch] = field(default_factory=list)
    result: TrialResult | None = None
    started: float | None = None
    finished: float | None = None

    @property
    def state(self) -> str:
        """complete, pruned, failed, or running while no end is written."""
        return self.result.state if self.result else "running"


@dataclass
class History:
    """The journal, read into trials: the state of a study."""

    trials: dict[str, TrialRecord] = field(default_factory=dict)
    attempts: int = 0
    finished: bool = False

    @classmethod
    def of(cls, events: Iterable[Event]) -> History:
        """Replays events in their order."""
        history = cls()
        for event in events:
            history.add(event)
        return history

    def add(self, event: Event) -> None:
        """Takes one more event in."""
        data = dict(event.data)
        record = self.trials.get(data.pop("trial", ""))
        if event.kind == STUDY_STARTED:
            self.attempts, self.finished = self.attempts + 1, False
        elif event.kind == TRIAL_ASKED:
            spec = TrialSpec.from_json(json.dumps(data["spec"]))
            self.trials[spec.id] = TrialRecord(spec)
        elif event.kind == STUDY_FINISHED:
            self.finished = True
        elif record is None:
            return
        elif event.kind == TRIAL_STARTED:
            record.started = record.started or event.time
        elif event.kind == EPOCH:
            epoch = Epoch(**data)
            # A resumed trial may repeat an epoch whose checkpoint was not yet written.
            record.epochs = [*(old for old in record.epochs if old.number < epoch.number), epoch]
        elif event.kind == TRIAL_FINISHED and record.result is None:
            files = {name: b"" for name in data.pop("files", ())}
            record.result, record.finished = TrialResult(**data, files=files), event.time
        elif event.kind == TRIAL_MEASURED and record.result is not None:
            record.spec = replace(record.spec, metrics=tuple(data["names"]), explain=data["explain"])
            metrics = {**record.result.metrics, **data["metrics"]}
            again = dict.fromkeys(data["files"], b"")
            kept = {WEIGHTS: b""} if WEIGHTS in record.result.files and again else record.result.files
            files = {**kept, **again}
            record.result = replace(record.result, metrics=metrics, files=files)

    def of_variant(self, variant_id: str, stage: str) -> list[TrialRecord]:
        """The trials of one variant and stage, by number."""
        found = [r for r in self.trials.values() if r.spec.variant_id == variant_id and r.spec.stage == stage]
        return sorted(found, key=lambda record: record.spec.number)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")
