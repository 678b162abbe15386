"""The observer that sends a study's journal to MLflow, each event once, even after a crash.

Sending an event twice changes nothing: runs are found by tag before they are created, and metrics carry the times of
the journal. The offset is kept in the study's folder, one entry for each tracking URI. A server that is down delays
nothing else.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness.adapters.mlflow.client import address, connect, in_brief, runs
from harness.adapters.mlflow.database import database_id
from harness.adapters.mlflow.runs import KEY, MARK
from harness.adapters.mlflow.writer import STATUS, Counts, Writer
from harness.config.database_urls import sqlite_file
from harness.contract.errors import MachineError
from harness.study.journal.journal import Event, Journal
from harness.study.journal.writing import write_file

if TYPE_CHECKING:
    from mlflow.entities import Run

STAGES = ("search", "confirm", "control")
CHUNK = 200
FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 60.0
JOIN_S = 0.1
STATE = "tracking.json"


class Sender:
    """A connection that brings an MLflow store up to date with a journal; one process at a time.

    Args:
        uri: the tracking store: `sqlite:///…`, a database URL, or a server's `http://…`.
        folder: the study's results, with its journal.
        artifacts: folder of the files if the store is a database; a server has its own.
        counts: returns the sizes of the splits, for MLflow's dataset; called at most once.
        weights: True to upload the weights of confirmed models as well.
    """

    def __init__(
        self,
        uri: str,
        folder: Path,
        artifacts: Path,
        counts: Callable[[], Counts] | None = None,
        weights: bool = True,
    ) -> None:
        self._uri, self._folder, self._counts, self._weights = uri, folder, counts, weights
        self._artifacts = None if uri.startswith("http") else artifacts.as_uri()
        self._journal = Journal(folder / "journal.jsonl")
        self._lock = FileLock(folder / "tracking.lock", thread_local=False)
        self._writer: Writer | None = None
        self._mark, self._report = "", 0.0
        self.offset = 0
        self.connecting = False

    def send(self) -> None:
        """Send the events that the store does not have; events that were sent stay sent if this raises.

        Raises:
            MachineError: another process is sending.
            Exception: any error of the store or the network.
        """
        if self._writer is None:
            self._writer = self._open()
        while self._writer and (events := self._journal.read(self.offset)):
            for start in range(0, len(events), CHUNK):
                chunk = events[start : start + CHUNK]
                try:
                    self._writer.write(chunk)
                except BaseException:
                    self._writer = None  # the store may have some of the chunk: compare again before the next attempt
                    raise
                self.offset = chunk[-1].offset
                self._save()
        if self._writer and (report := _files(self._folder / "report")) and _stamp(report) != self._report:
            self._writer.report(report)
            self._report = _stamp(report)
            self._save()

    def send_values(self, by_variant: Mapping[str, Mapping[str, float]]) -> None:
        """Add values to the variants' runs after `send`, such as intervals, which need the tables of all variants.

        Args:
            by_variant: variant's id -> metric -> value; values that are not finite are left out.
        """
        if self._writer:
            self._writer.values(by_variant)

    def close(self) -> None:
        """Allow other processes to send."""
        self._lock.release(force=True)  # a failed attempt may hold it more than once

    def _open(self) -> Writer | None:
        events = self._journal.read()
        if not events:
            return None
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise MachineError(f"{self._folder}: another process is sending to the tracking store") from error
        self.connecting = True
        try:
            client = connect(self._uri)
        finally:
            self.connecting = False
        self._mark = mark_of(events[0])
        self.offset = _sent(self._uri, self._folder, events)
        state = _load(self._folder / STATE).get(address(self._uri, self._folder), {})
        self._report = state.get("report", 0.0) if self.offset else 0.0
        writer = Writer(client, self._folder, self._mark, self._artifacts, self._counts, self._weights)
        writer.recall(event for event in events if event.offset <= self.offset)
        return writer

    def _save(self) -> None:
        path = self._folder / STATE
        state = _load(path)
        database = _database(self._uri)
        entry = {"mark": self._mark, "offset": self.offset, "report": self._report, "database": database}
        state[address(self._uri, self._folder)] = entry
        write_file(path, json.dumps(state).encode())


class MlflowObserver:
    """An observer that lets a Sender send on a thread of its own, and again after a failure."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._noted: deque[int] = deque()
        self._wake, self._stop = threading.Event(), threading.Event()
        self.problem = ""
        self._thread = threading.Thread(target=self._run, name="mlflow", daemon=True)
        self._thread.start()

    def event(self, event: Event) -> None:
        """Note that there is more to send; the thread reads the journal itself."""
        self._noted.append(event.offset)
        self._wake.set()

    @property
    def behind(self) -> int:
        """The number of events that the journal has and the store has not."""
        while self._noted and self._noted[0] <= self._sender.offset:
            self._noted.popleft()
        return len(self._noted)

    def close(self, timeout_s: float) -> int:
        """Send the remaining events for at most `timeout_s`; return how many are unsent.

        The first failure ends the attempt. A database that is being created is waited for without a limit: this machine
        creates it, and that ends.
        """
        self._stop.set()
        self._wake.set()
        left_s = timeout_s
        while self._thread.is_alive() and (left_s > 0 or self._sender.connecting):
            self._thread.join(JOIN_S)
            left_s -= 0 if self._sender.connecting else JOIN_S
        return self.behind

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        self._wake.wait()
        while True:
            self._wake.clear()
            last = self._stop.is_set()
            try:
                self._sender.send()
            except Exception as error:  # any error of a server, a proxy or a database: shown, then tried again
                self.problem = in_brief(error)
            else:
                self.problem = ""
            if last:
                break
            if self.problem:
                self._stop.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            else:
                self._wake.wait()
                wait_s = FIRST_WAIT_S
        self._sender.close()


def states(uri: str, folder: Path) -> dict[str, str]:
    """Return the store's state of each trial of the study in `folder`: complete, pruned, failed or running.

    If the status of a run contradicts its tag, the state names both.
    """
    return {run.data.tags[KEY]: _state(run) for run in _runs(uri, folder) if run.data.tags["stage"] in STAGES}


def unsent(uri: str, folder: Path) -> int:
    """Return how many events of the study in `folder` the store does not have."""
    journal = Journal(folder / "journal.jsonl")
    return len(journal.read(_sent(uri, folder, journal.read())))


def forget(uri: str, folder: Path) -> int:
    """Delete the store's runs of the study in `folder`; MLflow's `gc` removes them for good.

    Raises:
        MachineError: the store cannot be reached.
    """
    try:
        client, found = connect(uri), list(_runs(uri, folder))
        for run in found:
            client.delete_run(run.info.run_id)
    except Exception as error:  # any error of the store or the network
        raise MachineError(f"the tracking store cannot be reached: {in_brief(error)}") from error
    return len(found)


def mark_of(first: Event) -> str:
    """Return the mark of a journal, the time of its first event; a journal that replaces it has another."""
    return f"{first.time:.6f}"


def _runs(uri: str, folder: Path) -> list[Run]:
    events = Journal(folder / "journal.jsonl").read()
    if not events:
        return []
    client = connect(uri)
    experiment = client.get_experiment_by_name(folder.parent.name)
    return list(runs(client, experiment.experiment_id, {MARK: mark_of(events[0])})) if experiment else []


def _state(run: Run) -> str:
    tag, status = run.data.tags.get("state", "running"), run.info.status
    if tag in STATUS:
        return tag if status == STATUS[tag] else f"{tag}, but {status}"
    return "running"


def _sent(uri: str, folder: Path, events: Sequence[Event]) -> int:
    """Return the offset up to which the journal was sent; 0 if it was another journal or the database is gone."""
    state = _load(folder / STATE).get(address(uri, folder), {})
    if not events or state.get("mark") != mark_of(events[0]):
        return 0
    return int(state["offset"]) if state.get("database", 0) == _database(uri) else 0


def _database(uri: str) -> int | None:
    """Return the id of an SQLite file, which a new file does not share; 0 for servers and older files."""
    path = sqlite_file(uri)
    return 0 if path is None else database_id(path)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _stamp(paths: Iterable[Path]) -> float:
    return max(path.stat().st_mtime for path in paths)


def _load(path: Path) -> dict[str, Any]:
    """Return the content of the file; empty if it is missing or damaged: then everything is compared and sent again."""
    try:
        return dict(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return {}
