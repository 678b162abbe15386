"""A worker that ends without a word leaves its stacks: by os._exit, a crash in C, or because it reports nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.adapters.last_words import read_last_words, stall_limit
from harness.adapters.memory import Memory, said_by_ray

WORKER = """
import ctypes, os, sys, time
from pathlib import Path
from harness.adapters.last_words import LastWords

words = LastWords()
words.begin(Path(sys.argv[1]))

def forward():
    {fault}

def training_step():
    forward()

{before}
training_step()
print("the trial went on")
"""


def worker(path: Path, fault: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = WORKER.format(fault=fault, before=before)
    return subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("fault", "before", "said"),
    [
        ("os._exit(3)", "", "os._exit(3) was called at <string>:10, in forward"),
        ("ctypes.string_at(0)", "", "Segmentation fault at .*, in string_at"),
        ("os.abort()", "", "Aborted at <string>:10, in forward"),
        ("time.sleep(60)", "words.wait(0.3)", "it reported nothing for 0:00:00.300000 and was ended at <string>:10"),
        (
            "[x for x in iter(int, 1)]",  # the interpreter never waits, as in a loop of C
            "words.wait(0.3)",
            "it reported nothing for 0:00:00.300000 and was ended at <string>:10",
        ),
    ],
)
def test_the_stack_says_where_it_ended(fault: str, before: str, said: str, tmp_path: Path) -> None:
    done = worker(tmp_path / "trial", fault, before)
    assert done.returncode != 0 and "went on" not in done.stdout
    words = read_last_words(tmp_path / "trial")
    assert re.search(re.escape(said).replace(re.escape(".*"), ".*"), words.splitlines()[-1]), words
    assert "in training_step" in words


def test_a_trial_that_reports_in_time_leaves_no_word(tmp_path: Path) -> None:
    done = worker(tmp_path / "trial", "time.sleep(0.1)", "words.wait(30)")
    assert done.returncode == 0 and "went on" in done.stdout and read_last_words(tmp_path / "trial") == ""


def test_the_end_of_a_process_that_a_plugin_forked_is_no_end_of_the_worker(tmp_path: Path) -> None:
    fork = "child = os.fork()\n    if not child: os._exit(5)\n    os.waitpid(child, 0)"
    assert worker(tmp_path / "trial", fork).returncode == 0
    assert read_last_words(tmp_path / "trial") == ""


def test_a_machine_that_shares_no_disk_writes_nothing(tmp_path: Path) -> None:
    done = worker(tmp_path / "missing" / "trial", "os._exit(3)", "words.wait(30)")
    assert done.returncode == 3 and read_last_words(tmp_path / "missing" / "trial") == ""


@pytest.mark.parametrize(
    ("explicit", "known", "own", "limit"),
    [
        (None, None, [], None),  # nobody knows how long an epoch takes
        (None, 100.0, [], 1000.0),
        (None, 1.0, [], 600.0),
        (None, 1.0, [90.0, 100.0, 2000.0], 1000.0),
        (5.0, 100.0, [100.0], 5.0),
    ],
)
def test_silence_is_measured_by_ten_epochs(
    explicit: float | None, known: float | None, own: list[float], limit: float | None
) -> None:
    assert stall_limit(explicit, known, own) == limit


def machine(folder: Path, kills: int, group_kills: int | None, limit: str = "max") -> Memory:
    """Return what is read of a machine of 8 GB whose group, if it has one, reached 3 GB."""
    (folder / "self").mkdir(parents=True, exist_ok=True)
    (folder / "self" / "cgroup").write_text("0::/box\n")
    (folder / "meminfo").write_text(f"MemTotal: {8 * 1024**2} kB\nMemAvailable: {1024**2} kB\n")
    (folder / "vmstat").write_text(f"nr_free_pages 3\noom_kill {kills}\n")
    if group_kills is not None:
        (folder / "box").mkdir(exist_ok=True)
        (folder / "box" / "memory.events").write_text(f"low 0\noom 1\noom_kill {group_kills}\n")
        (folder / "box" / "memory.max").write_text(limit)
        (folder / "box" / "memory.peak").write_text(str(3 * 1024**3))
    return Memory.now(folder, folder)


def test_a_kill_for_lack_of_memory_is_named_with_peak_and_limit(tmp_path: Path) -> None:
    before = machine(tmp_path, 0, 0, str(4 * 1024**3))
    assert before.since(before) == ""
    assert machine(tmp_path, 0, 1, str(4 * 1024**3)).since(before) == (
        "out of memory: the peak was 3.0 GB of 4.0 GB; run fewer trials at a time (compute.concurrent) or a smaller "
        "train.batch_size"
    )


def test_a_kill_by_the_kernel_is_named_where_no_group_has_a_limit(tmp_path: Path) -> None:
    before = machine(tmp_path, 2, None)
    assert "the peak was 7.0 GB of 8.0 GB" in machine(tmp_path, 3, None).since(before)


def test_a_machine_without_counters_names_nothing(tmp_path: Path) -> None:
    assert Memory.now(tmp_path / "none", tmp_path / "none").since(Memory(0, 0, 0)) == ""


@pytest.mark.parametrize(
    ("reason", "memory"),
    [
        ("Task was killed due to the node running low on memory.", True),
        ("ray.exceptions.OutOfMemoryError: Task was killed", True),
        ("set the environment variable `RAY_memory_monitor_refresh_ms` to zero.", True),
        ("its worker process has died", False),
    ],
)
def test_the_monitor_of_ray_is_believed(reason: str, memory: bool) -> None:
    assert said_by_ray(reason) is memory
