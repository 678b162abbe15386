"""A lock for one run of a study at a time; it names its holder and ends the processes of a killed one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

import psutil
from filelock import FileLock

from harness.contract.errors import InputError, MachineError
from harness.study.journal.writing import write_file

_CLOCK_S = 2.0  # a process's start time is computed from the boot time, which moves when the clock is adjusted
_END_S = 20.0


@dataclass(frozen=True)
class Process:
    """A process, distinct from a later one with the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has this number now."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        """Return the live process, or None if it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_S
        except psutil.NoSuchProcess:
            return None
        return process if same and _lives(process) else None


@dataclass
class Holder:
    """The holder of the lock: its processes, and the folder to remove if it is killed."""

    host: str
    process: Process
    children: list[Process] = field(default_factory=list)
    temporary: str = ""

    @classmethod
    def read(cls, path: Path) -> Holder | None:
        """Return the holder in the file, or None if the file is missing or unreadable."""
        try:
            data = json.loads(path.read_text())
            children = [Process(**child) for child in data["children"]]
            return cls(data["host"], Process(**data["process"]), children, data["temporary"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


class StudyLock:
    """A lock that is held for a `with` block; `remember` names what must not outlive this process.

    A lock whose holder has died on this machine is taken over: first every recorded process and all its descendants are
    ended by id.

    Raises:
        InputError: the study is running; the message names process and host.
        MachineError: a process of the earlier run could not be ended.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock.json"
        self._guard = FileLock(folder / ".lock")
        self._mutex = threading.Lock()
        self._mine: Holder | None = None

    def __enter__(self) -> StudyLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._guard:
            holder = Holder.read(self._path)
            if holder is not None:
                self._refuse_if_alive(holder)
            mine = Process.of(os.getpid())
            assert mine is not None
            left = (holder.children, holder.temporary) if holder else ([], "")
            self._mine = Holder(socket.gethostname(), mine, *left)  # in case this process ends before they have ended
            self._save()
        if holder is not None:
            _end(holder)
            self._mine.children, self._mine.temporary = [], ""
            self._save()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._path.unlink(missing_ok=True)

    def remember(self, *pids: int, temporary: str = "") -> None:
        """Record processes, and a folder, that a later run must remove if this one is killed."""
        assert self._mine is not None
        with self._mutex:
            known = {child.pid for child in self._mine.children} | {os.getpid()}
            found = [process for pid in pids if pid not in known and (process := Process.of(pid))]
            if not found and temporary in ("", self._mine.temporary):
                return
            alive = [child for child in self._mine.children if child.find()]
            self._mine.children = [*alive, *found]
            self._mine.temporary = temporary or self._mine.temporary
            self._save()

    def _refuse_if_alive(self, holder: Holder) -> None:
        if holder.host != socket.gethostname():
            raise InputError(
                f"the study is being run by process {holder.process.pid} on {holder.host}; "
                f"if that run is dead, remove {self._path}"
            )
        if holder.process.find():
            raise InputError(f"the study is being run by process {holder.process.pid} on {holder.host}")

    def _save(self) -> None:
        assert self._mine is not None
        write_file(self._path, json.dumps(asdict(self._mine)).encode())


def _end(holder: Holder) -> None:
    """End the processes of a dead holder and remove its temporary folder."""
    roots = [process for child in holder.children if (process := child.find())]
    roots += _using(holder.temporary) if holder.temporary else []
    processes = {process.pid: process for root in roots for process in [*_descendants(root), root]}
    for process in processes.values():
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    deadline = time.monotonic() + _END_S
    while left := [process.pid for process in processes.values() if _lives(process)]:
        if time.monotonic() > deadline:
            raise MachineError(f"processes of the earlier run do not end: {', '.join(map(str, left))}")
        time.sleep(0.05)
    if holder.temporary:
        shutil.rmtree(holder.temporary, ignore_errors=True)


def _using(folder: str) -> list[psutil.Process]:
    """Return the processes started in the folder or with one of its files open.

    A holder may die before it has recorded their ids.
    """
    found = []
    for process in psutil.process_iter():
        try:
            names = [*process.cmdline(), *(file.path for file in process.open_files())]
        except psutil.Error:  # it has ended, or is another user's
            continue
        if process.pid != os.getpid() and any(folder in name for name in names):
            found.append(process)
    return found


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
