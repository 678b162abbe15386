"""The real command, stopped at a bad moment by Ctrl-C and by SIGKILL, and given again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.study.journal import EPOCH, TRIAL_FINISHED, Journal

STUDY = """
[study]
baseline = "one"
metrics = ["auroc"]

[dataset]
use = "needle_digits"
images = [24, 12, 12]

[train]
epochs = 4
batch_size = 8
lr = 0.001

[model]
use = "gmic"
crops = 1
crop_px = 24
backbone = { use = "resnet22", stride = 8, width = 4 }
local_backbone = { use = "resnet22", stride = 8, width = 4 }

[search]
trials = 1
sampler = { use = "random" }
stopper = { use = "none" }

[confirm]
seeds = [0]

[variants.one]

[budgets.quick]
run = "all"
"""


@pytest.fixture
def folder(tmp_path: Path, migrated_mlflow: Path) -> Path:
    (tmp_path / "results").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "results" / "mlflow.db")
    (tmp_path / "small.toml").write_text(STUDY)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli.main", *arguments]


def begin(folder: Path) -> subprocess.Popen[str]:
    """Starts the study and waits until a trial has told of an epoch."""
    run = command("study", "run", "small.toml", "--budget", "quick", "--tuner", "inline")
    process = subprocess.Popen(run, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not any(event.kind == EPOCH for path in journals(folder) for event in Journal(path).read()):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.02)
    return process


def journals(folder: Path) -> list[Path]:
    return list(folder.glob("results/small/quick-*/journal.jsonl"))


def finish(folder: Path) -> None:
    """The same again must go on, end well, count no trial twice, and leave three records that agree."""
    resumed = subprocess.run(
        command("study", "resume", "small", "--tuner", "inline"), cwd=folder, capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "resuming" in resumed.stdout and "Test AUC" in resumed.stdout
    events = [event for path in journals(folder) for event in Journal(path).read()]
    ended = [event.data["trial"] for event in events if event.kind == TRIAL_FINISHED]
    assert len(ended) == len(set(ended)) == 2
    diagnosis = subprocess.run(command("doctor"), cwd=folder, capture_output=True, text=True)
    assert diagnosis.returncode == 0 and "2 complete" in diagnosis.stdout, diagnosis.stdout + diagnosis.stderr


def test_ctrl_c_ends_with_130_and_the_run_can_be_resumed(folder: Path) -> None:
    process = begin(folder)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "goes on from here" in said
    finish(folder)


def test_a_killed_run_can_be_resumed(folder: Path) -> None:
    process = begin(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finish(folder)
