"""The recorder: writes what happens to the journal, the ledger and the trials' folders. Decides nothing.

The state follows from what it has written; a new recorder on the same folder comes to the same state.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.contract.types import WEIGHTS, Epoch, TrialResult, TrialSpec
from harness.study.journal.journal import (
    EPOCH,
    STUDY_FINISHED,
    STUDY_PAUSED,
    STUDY_STARTED,
    TRIAL_ASKED,
    TRIAL_FINISHED,
    TRIAL_INTERRUPTED,
    TRIAL_MEASURED,
    TRIAL_STARTED,
    Event,
    Journal,
)
from harness.study.journal.state import HANDED_OUT, SPACE_EXHAUSTED, StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.journal.writing import Ledger, opened_test, remove_file, write_files

_RESULT_FIELDS = ("state", "value", "best_epoch", "epochs", "metrics", "reason", "seconds", "ledger")


class Recorder:
    """Writes a study's events; each method raises MachineError where the disk fails.

    Args:
        folder: of the study's results.
        ledger: the file that counts openings of test splits over all studies.
    """

    def __init__(self, folder: Path, ledger: Path) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl")
        self.state = StudyState()
        self._ledger = Ledger(ledger)
        self._opened: set[str] = set()

    def load(self) -> None:
        """Read the journal into the state."""
        self.journal.mend()
        self.state = StudyState.of(self.journal.read())

    def begin(self, plan_json: Any = None) -> None:
        """Record that a run begins; `load` comes first."""
        self.state.keep = "trials"  # the journal has the epochs; those of thousands of trials need memory
        attempt = self.state.attempts + 1
        self._write(STUDY_STARTED, plan=plan_json, attempt=attempt, pid=os.getpid(), host=socket.gethostname())

    def paused(self, reason: str) -> None:
        """Record that the run ends before its study is finished."""
        self._write(STUDY_PAUSED, reason=reason)

    def ended(self) -> None:
        """Record that the study is finished."""
        self._write(STUDY_FINISHED)

    def asked(self, spec: TrialSpec) -> None:
        """Record that a trial exists."""
        self._write(TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))

    def handed_out(self, trial: str) -> None:
        """Note that a tuner has the trial; the journal need not know."""
        self._note(HANDED_OUT, trial=trial)

    def exhausted(self, variant_id: str) -> None:
        """Note that there is no other configuration of a variant; the journal need not know."""
        self._note(SPACE_EXHAUSTED, variant_id=variant_id)

    def started(self, trial: str, pid: int) -> None:
        """Record that a worker has begun the trial."""
        self._write(TRIAL_STARTED, trial=trial, pid=pid)

    def epoch(self, trial: str, epoch: Epoch) -> None:
        """Record that the trial has finished an epoch."""
        self._write(EPOCH, trial=trial, **asdict(epoch))

    def opening(self, trial: str) -> None:
        """Count that the trial opens its test split, before it does.

        So an opening counts even if the trial is killed while it is tested. Its next attempt opens the split
        again, and counts again. The result adds no line of its own.
        """
        self._ledger.note(self.state.trials[trial].spec)
        self._opened.add(trial)

    def finished(self, trial: str, result: TrialResult) -> TrialRecord:
        """Record how the trial ended: its files, its opening of the test split if not counted, then the event.

        Returns:
            Its record, with the epochs that the state no longer keeps.
        """
        spec = self.state.trials[trial].spec
        write_files(self.folder / "trials" / trial, result.files)
        if opened_test(spec, result) and trial not in self._opened:
            self._ledger.note(spec)
        self._opened.discard(trial)
        values = {name: getattr(result, name) for name in _RESULT_FIELDS}
        values |= {"notes": list(result.notes)} if result.notes else {}
        record = self._write(TRIAL_FINISHED, trial=trial, **values, files=sorted(result.files))
        assert record is not None, f"{trial} was never asked."
        for path in (self.folder / "checkpoints").glob(f"{trial}.*"):  # with those that a kill left incomplete
            remove_file(path)
        return record

    def derived(self, spec: TrialSpec, result: TrialResult) -> None:
        """Record a result that needed no training: asked, started and finished at once."""
        if spec.id not in self.state.trials:
            self.asked(spec)
        self.started(spec.id, os.getpid())
        self.finished(spec.id, result)

    def interrupted(self, trial: str, reason: str, died: bool = False) -> None:
        """Record that the trial was cut off from outside; `died` where its worker was."""
        self._opened.discard(trial)
        self._write(TRIAL_INTERRUPTED, trial=trial, reason=reason, **({"died": True} if died else {}))

    def measured(self, spec: TrialSpec, result: TrialResult) -> None:
        """Record that a confirmation was tested again: its tables are replaced, its metrics added."""
        folder, before = self.folder / "trials" / spec.id, self.state.trials[spec.id].result
        write_files(folder, result.files)
        if before is not None and result.files:  # an average has no new files
            for name in {*before.files} - {*result.files, WEIGHTS}:
                remove_file(folder / name)
        wanted = {"names": list(spec.metrics), "metric_tables": spec.metric_tables, "explain": spec.explain}
        self._write(TRIAL_MEASURED, trial=spec.id, metrics=result.metrics, files=sorted(result.files), **wanted)

    def _write(self, kind: str, **data: Any) -> TrialRecord | None:
        self.journal.append(kind, **data)
        return self._note(kind, **data)

    def _note(self, kind: str, **data: Any) -> TrialRecord | None:
        return self.state.apply(Event(kind, time.time(), data))
