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

from harness.study.journal.journal import EPOCH, TRIAL_FINISHED, TRIAL_INTERRUPTED, TRIAL_STARTED, Journal

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
pruner = { use = "none" }

[confirm]
seeds = [0]

[variants.one]

[budgets.quick]
select = "all"
"""


INLINE = ("--tuner", "inline")


@pytest.fixture
def folder(tmp_path: Path, migrated_mlflow: Path) -> Path:
    (tmp_path / "results").mkdir()
    shutil.copy(migrated_mlflow, tmp_path / "results" / "mlflow.db")
    (tmp_path / "small.toml").write_text(STUDY)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli.main", *arguments]


def begin(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Starts the study and waits until a trial has told of an epoch."""
    run = command("study", "run", "small.toml", "--budget", "quick", *options)
    process = subprocess.Popen(run, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while not any(event.kind == EPOCH for path in journals(folder) for event in Journal(path).read()):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()  # else nothing would end what its words are waited for
            raise AssertionError(process.communicate())
        time.sleep(0.02)
    return process


def journals(folder: Path) -> list[Path]:
    return list(folder.glob("results/small/quick-*/journal.jsonl"))


def finish(folder: Path) -> None:
    """The same again must go on, end well, count no trial twice, and leave three records that agree."""
    resumed = subprocess.run(command("study", "resume", "small", *INLINE), cwd=folder, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "resuming" in resumed.stdout and "Test AUC" in resumed.stdout
    events = [event for path in journals(folder) for event in Journal(path).read()]
    ended = [event.data["trial"] for event in events if event.kind == TRIAL_FINISHED]
    assert len(ended) == len(set(ended)) == 2
    diagnosis = subprocess.run(command("doctor"), cwd=folder, capture_output=True, text=True)
    assert diagnosis.returncode == 0 and "2 complete" in diagnosis.stdout, diagnosis.stdout + diagnosis.stderr


def test_ctrl_c_ends_with_130_and_the_run_can_be_resumed(folder: Path) -> None:
    process = begin(folder, *INLINE)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "goes on from here" in said
    finish(folder)


@pytest.mark.slow
def test_a_killed_run_can_be_resumed(folder: Path) -> None:
    process = begin(folder, *INLINE)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    finish(folder)


def test_ray_trains_what_the_loop_trains_though_its_worker_is_killed(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing is scripted: real trials, plugins and checkpoints, from the command line to the weights."""
    longer = ("--set", "train.epochs=10")
    loop = shutil.copytree(folder, tmp_path_factory.mktemp("loop"), dirs_exist_ok=True)
    process = begin(folder, *longer)
    events = Journal(journals(folder)[0]).read()
    os.kill([event.data["pid"] for event in events if event.kind == TRIAL_STARTED][-1], signal.SIGKILL)
    said, complaint = process.communicate(timeout=300)
    assert process.returncode == 0, said + complaint
    kinds = [event.kind for event in Journal(journals(folder)[0]).read()]
    assert kinds.count(TRIAL_INTERRUPTED) == 1 and kinds.count(TRIAL_FINISHED) == 2

    inline = subprocess.run(
        command("study", "run", "small.toml", "--budget", "quick", *longer, *INLINE),
        cwd=loop, capture_output=True, text=True,
    )  # fmt: skip
    assert inline.returncode == 0, inline.stdout + inline.stderr
    (mine,), (theirs,) = (list(place.glob("results/small/*/trials/*/weights.safetensors")) for place in (folder, loop))
    assert mine.read_bytes() == theirs.read_bytes()
