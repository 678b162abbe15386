"""A trial that was stopped or killed ends as if nothing had happened, bit by bit."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.contract.errors import MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Epoch, TrialResult, TrialSpec, Workspace
from harness.testing.fakes import tiny_spec
from harness.trial.trial import run_trial

TRAIN = {
    "epochs": 5,
    "augment": ["flip", "shift", "rotate", "scale", "noise"],
    "schedule": {"use": "one_cycle"},
    "balance": "sampler",
    "channels_last": True,
}
MODEL = {"dropout": 0.3}


def _spec(**train) -> TrialSpec:
    return tiny_spec(stage="confirm", train={**TRAIN, **train}, model=MODEL, dataset={"images": 8, "unknown": 0.2})


def _numbers(epoch: Epoch) -> Epoch:
    return replace(epoch, seconds=0.0, waited=0.0)


def _run(spec: TrialSpec, catalog: Catalog, workspace: Workspace) -> tuple[dict[int, Epoch], TrialResult]:
    *before, result = run_trial(spec, catalog, workspace)
    return {epoch.number: _numbers(epoch) for epoch in before if isinstance(epoch, Epoch)}, result


def _assert_same(first: TrialResult, second: TrialResult) -> None:
    assert first.state == second.state == "complete", first.reason + second.reason
    assert (first.value, first.best_epoch, first.epochs) == (second.value, second.best_epoch, second.epochs)
    assert first.metrics == second.metrics
    assert first.files["weights.safetensors"] == second.files["weights.safetensors"]
    assert first.files["maps.parquet"] == second.files["maps.parquet"]


LION = {"optimiser": {"use": "lion"}, "lr": 1e-3, "weight_decay": 0.1}


@pytest.mark.parametrize(
    "train", [{}, {"optimiser": {"use": "sgd"}, "amp": "fp16"}, LION], ids=["adam", "sgd fp16", "lion"]
)
@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_closed_trial_goes_on_to_the_same_end(tiny: Catalog, workspace: Workspace, stop: int, train: dict):
    spec = _spec(**train)
    whole, expected = _run(spec, tiny, replace(workspace, checkpoints=None))
    running = run_trial(spec, tiny, workspace)
    for number in range(1, stop + 1):
        assert _numbers(next(running)) == whole[number]
    running.close()
    again, result = _run(spec, tiny, workspace)
    assert min(again) == stop  # whose checkpoint had not yet been written, repeated with the same numbers
    assert again == {number: epoch for number, epoch in whole.items() if number >= stop}
    _assert_same(result, expected)


def test_a_checkpoint_stays_until_the_driver_has_written_the_result(tiny: Catalog, workspace: Workspace):
    """Then the recorder removes it: killed in between, the trial need not be trained again."""
    assert workspace.checkpoints is not None
    *_, result = run_trial(_spec(), tiny, workspace)
    assert [path.name for path in workspace.checkpoints.iterdir()] == [f"{_spec().id}.pt"]
    *again, same = run_trial(_spec(), tiny, workspace)
    assert not any(isinstance(event, Epoch) for event in again) and same.value == result.value


def test_a_checkpoint_holds_nothing_but_plain_values(tiny: Catalog, workspace: Workspace):
    assert workspace.checkpoints is not None
    running = run_trial(_spec(), tiny, workspace)
    next(running), next(running)
    (path,) = workspace.checkpoints.iterdir()
    values = torch.load(path, weights_only=True)
    assert [epoch["number"] for epoch in values["epochs"]] == [1]
    running.close()


@pytest.mark.parametrize("damage", [b"", b"torn", None], ids=["empty", "torn", "half"])
def test_a_damaged_checkpoint_starts_the_trial_anew(
    tiny: Catalog, workspace: Workspace, damage: bytes | None, caplog: pytest.LogCaptureFixture
):
    assert workspace.checkpoints is not None
    running = run_trial(_spec(), tiny, workspace)
    next(running), next(running)
    running.close()
    (path,) = workspace.checkpoints.iterdir()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage is None else damage)
    epochs, result = _run(_spec(), tiny, workspace)
    assert min(epochs) == 1 and result.state == "complete"
    assert "damaged" in caplog.text


def test_a_checkpoint_of_other_settings_is_not_used(tiny: Catalog, workspace: Workspace):
    running = run_trial(_spec(), tiny, workspace)
    next(running), next(running), next(running)
    running.close()
    epochs, _ = _run(_spec(lr=0.02), tiny, workspace)
    assert min(epochs) == 1


def test_a_checkpoint_that_cannot_be_written_is_the_machines_fault(tiny: Catalog, workspace: Workspace):
    assert workspace.checkpoints is not None
    workspace.checkpoints.write_text("a file where the folder should be")
    running = run_trial(_spec(), tiny, workspace)
    next(running)
    with pytest.raises(MachineError, match="cannot write the checkpoint"):
        next(running)


_SCRIPT = """
import sys
from pathlib import Path
from harness.contract.types import Epoch, TrialResult, TrialSpec, Workspace
from harness.testing.fakes import tiny_catalog
from harness.trial.trial import run_trial

root = Path(sys.argv[1])
spec = TrialSpec.from_json((root / "spec.json").read_text())
workspace = Workspace(data=root, cache=root / "cache", checkpoints=root / "checkpoints", device="cpu")
for item in run_trial(spec, tiny_catalog(), workspace):
    if isinstance(item, Epoch):
        print(item.number, flush=True)
    elif isinstance(item, TrialResult):
        print(item.state, item.reason, flush=True)
        (root / "weights").write_bytes(item.files["weights.safetensors"])
"""


def test_a_killed_process_is_followed_by_one_that_ends_alike(tiny: Catalog, workspace: Workspace):
    spec, root = _spec(epochs=40), workspace.data
    root.mkdir()
    (root / "spec.json").write_text(spec.to_json())
    with _start(root) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if line.strip() == "7":
                first.send_signal(signal.SIGKILL)  # anywhere in epoch 8, or while a checkpoint is written
                break
    assert first.returncode == -signal.SIGKILL
    with _start(root) as second:
        seen, _ = second.communicate()
    assert seen.split("\n")[-2].strip() == "complete"
    assert 7 <= int(seen.split()[0]) <= 12, seen
    _, expected = _run(spec, tiny, replace(workspace, checkpoints=None))
    assert (root / "weights").read_bytes() == expected.files["weights.safetensors"]


def _start(root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _SCRIPT, str(root)], stdout=subprocess.PIPE, text=True)
