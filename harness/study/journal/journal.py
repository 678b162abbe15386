"""The journal: an append-only file of events. Where Optuna or MLflow say something else, the journal is right.

`state` reduces its events; `recorder` appends them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.errors import MachineError
from harness.study.journal.format import FORMAT, check_format

STUDY_STARTED = "study_started"
"""data: `format`, `plan` (its JSON), `attempt` (1, 2, …), `pid`, `host`."""
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
"""data: `trial`, `reason`, `died` if its worker did: it is handed out again, at no cost to the budget."""
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
    """A file of events; one writer, any number of readers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, **data: Any) -> None:
        """Write one event and wait until the disk has it.

        Raises:
            MachineError: the disk is full or the file cannot be written.
        """
        written = {"format": FORMAT} if kind == STUDY_STARTED else {}
        line = json.dumps({"kind": kind, "time": time.time(), **written, **data}, default=_plain) + "\n"
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
        """Cut off a last line that a kill left incomplete."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            with self.path.open("r+b") as file:
                file.truncate(end)

    def read(self, offset: int = 0) -> list[Event]:
        """Return the complete events from byte `offset` on; an incomplete last line is left out.

        Raises:
            MachineError: a complete line is no event; the message names the file and the line.
            InputError: harness 0.1 or a newer harness wrote the journal.
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
                if not offset and kind == STUDY_STARTED:
                    check_format(data.get("format"), self.path)
                offset += len(line)
                events.append(Event(kind, when, data, offset))
        return events

    def _line_at(self, offset: int) -> int:
        """Return the number of the line that begins at that byte, counted from 1."""
        with self.path.open("rb") as file:
            return file.read(offset).count(b"\n") + 1


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form.")
