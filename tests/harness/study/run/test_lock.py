from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from harness.contract.errors import InputError, MachineError
from harness.study.run.lock import Holder, StudyLock

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
HOLD = """
import subprocess, sys, time
from pathlib import Path
from harness.study.run.lock import StudyLock
with StudyLock(Path(sys.argv[1])) as lock:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    lock.remember(child.pid, temporary=sys.argv[2])
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that holds the lock of `tmp_path`, and the id of its child."""
    (tmp_path / "temporary").mkdir()
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(tmp_path / "temporary")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    yield process, child
    process.kill()
    if psutil.pid_exists(child):
        os.kill(child, 9)
    process.communicate()


def test_a_second_run_is_refused_by_process_and_host(tmp_path: Path, holder: tuple[subprocess.Popen[str], int]) -> None:
    process, child = holder
    with pytest.raises(InputError, match=f"process {process.pid} on {socket.gethostname()}"), StudyLock(tmp_path):
        pass
    assert psutil.pid_exists(child) and (tmp_path / "lock.json").exists()


def test_a_killed_runs_lock_is_taken_over_and_what_it_left_is_ended(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int]
) -> None:
    process, child = holder
    process.kill()
    process.wait()
    assert psutil.pid_exists(child), "it outlives its parent, as Ray's processes do"
    with StudyLock(tmp_path):
        assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
        assert not (tmp_path / "temporary").exists()
    assert not (tmp_path / "lock.json").exists()


def test_processes_on_a_killed_runs_temporary_folder_are_ended_though_it_never_noted_them(tmp_path: Path) -> None:
    (tmp_path / "ray-x7").mkdir()
    dead = {"pid": 2**22 - 1, "started": 0.0}
    lock = {"host": socket.gethostname(), "process": dead, "children": [], "temporary": str(tmp_path / "ray-x7")}
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    with (tmp_path / "ray-x7" / "worker.out").open("w") as file:
        writer = subprocess.Popen(SLEEP, stdout=file)
    server = subprocess.Popen([*SLEEP, f"--dir={tmp_path}/ray-x7/session"])
    other = subprocess.Popen([*SLEEP, f"--dir={tmp_path}/ray-y8/session"])
    try:
        with StudyLock(tmp_path):
            assert writer.wait(5) == server.wait(5) == -9
            assert other.poll() is None
    finally:
        for process in (writer, server, other):
            process.kill()
            process.wait()


def test_a_process_that_was_given_an_old_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEP)
    try:
        dead = {"pid": stranger.pid, "started": time.time() - 1000}
        lock = {"host": socket.gethostname(), "process": dead, "children": [dead], "temporary": ""}
        (tmp_path / "lock.json").write_text(json.dumps(lock))
        with StudyLock(tmp_path):
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("text", ["null", "[]", "{}", '{"host": "here"}', '{"host": ', '{"children": [3]}'])
def test_a_lock_that_cannot_be_read_holds_nobody_back(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.json").write_text(text)
    with StudyLock(tmp_path):
        assert Holder.read(tmp_path / "lock.json") is not None


def test_a_lock_of_another_machine_is_never_taken_over(tmp_path: Path) -> None:
    lock = {"host": "elsewhere", "process": {"pid": 1, "started": 0.0}, "children": [], "temporary": ""}
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    with pytest.raises(InputError, match="process 1 on elsewhere"), StudyLock(tmp_path):
        pass


def test_what_could_not_be_ended_is_known_to_the_next_run(
    tmp_path: Path, holder: tuple[subprocess.Popen[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, child = holder
    process.kill()
    process.wait()
    with monkeypatch.context() as hung:
        hung.setattr(psutil.Process, "kill", lambda process: None)
        hung.setattr("harness.study.run.lock._END_S", 0.2)
        with pytest.raises(MachineError, match=f"do not end: .*{child}"), StudyLock(tmp_path):
            pass
    left = Holder.read(tmp_path / "lock.json")
    assert left is not None and [process.pid for process in left.children] == [child]
    (tmp_path / "lock.json").write_text(json.dumps({**asdict(left), "process": {"pid": 2**22 + 1, "started": 0.0}}))
    with StudyLock(tmp_path):
        assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
