"""What a component changes in its process is put back and named; what it only uses is left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.contract.nn import Batch, Output
from harness.contract.types import Task, TrialResult, Workspace
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import tiny_catalog, tiny_spec
from harness.trial.guards.calls import Notes, guarded, noted
from harness.trial.guards.stages import watched
from harness.trial.trial import run_trial


class Component:
    """What a note names by its class."""


NAME = "class 'Component'"
CHANGES: dict[str, tuple[Callable[[], Any], str]] = {
    "dtype": (lambda: torch.set_default_dtype(torch.float64), "sets torch's default dtype to float64"),
    "grad": (lambda: torch.set_grad_enabled(False), "leaves gradients off"),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True, warn_only=True),
        "switches deterministic algorithms on",
    ),
    "threads": (lambda: torch.set_num_threads(2), "sets torch's number of threads to 2"),
    "seed": (lambda: torch.manual_seed(7), "reseeds torch's generator with 7"),
}


def state() -> tuple[Any, ...]:
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        torch.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("name", CHANGES)
def test_a_call_that_changes_torch_is_undone_and_named(name: str) -> None:
    change, said = CHANGES[name]
    before, notes = state(), Notes()
    with noted(notes), guarded(Component()):
        change()
    assert state() == before
    assert list(notes) == [f"{NAME} {said}; it was put back"]


def test_a_call_that_raises_is_undone_too() -> None:
    before, notes = state(), Notes()
    with pytest.raises(ZeroDivisionError), noted(notes), guarded(Component()):
        torch.manual_seed(3)
        raise ZeroDivisionError
    assert state() == before and len(list(notes)) == 1


def test_drawing_is_no_reseeding() -> None:
    notes, before = Notes(), torch.get_rng_state()
    with noted(notes), guarded(Component()):
        drawn = torch.rand(3)
    assert not list(notes) and not torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(before)
    assert torch.equal(torch.rand(3), drawn)


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with watched(notes := Notes(), "acme-pools 0.1"):
        pass
    assert not list(notes)


def drawn() -> list[int]:
    """Return the state of NumPy's generator; the checks of types in the tests draw from Python's."""
    return np.random.get_state()[1].tolist()  # type: ignore[union-attr, index]


def test_a_stage_may_draw_from_every_generator_and_uses_up_no_number_of_others() -> None:
    before, notes = drawn(), Notes()
    with watched(notes, "acme-pools 0.1"):
        random.random(), np.random.random(), torch.rand(1)
    assert not list(notes)
    assert drawn() == before


def test_the_same_change_is_noted_once() -> None:
    notes = Notes()
    with noted(notes):
        for _ in range(5):
            with guarded(Component()):
                torch.manual_seed(torch.initial_seed() + 1)
    assert len(list(notes)) == 1


def test_a_guard_costs_less_than_three_microseconds() -> None:
    """In a process of its own, because the checks of types in the tests cost more than the guard."""
    code = (
        "import timeit; from harness.trial.guards.calls import guarded\n"
        "def call():\n    with guarded(None): pass\n"
        "print(min(timeit.repeat(call, number=200, repeat=500)) / 200)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 3e-6


def test_what_a_stage_changes_in_its_process_is_undone_and_named(tmp_path: Path) -> None:
    before, notes = (os.getcwd(), dict(os.environ), signal.getsignal(signal.SIGUSR1), drawn()), Notes()
    with watched(notes, "acme-pools 0.1"):
        os.chdir(tmp_path)
        os.environ["ACME"] = "1"
        os.environ.pop("HOME", None)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        random.seed(1)
        np.random.seed(1)
    assert (os.getcwd(), dict(os.environ), signal.getsignal(signal.SIGUSR1), drawn()) == before
    assert [note.removeprefix("acme-pools 0.1 ").removesuffix("; it was put back") for note in notes] == [
        f"changes the working directory to {tmp_path}",
        "changes the environment: HOME, ACME",
        "handles signals: SIGUSR1",
        "seeds Python's global generator",
        "seeds NumPy's global generator",
    ]


class Reseeding(TinyCnn):
    """Adds noise that is the same in every step."""

    def forward(self, batch: Batch) -> Output:
        torch.manual_seed(0)
        return super().forward(batch)


def outcome(build: Callable[..., Any], tmp_path: Path) -> TrialResult:
    from harness import Component, hookimpl

    class Plugin:
        @hookimpl
        def harness_architectures(self) -> list[Component[Any]]:
            return [Component(name="own", build=build, summary="the test's own")]

    catalog = tiny_catalog()
    catalog.register(Plugin())
    workspace = Workspace(data=tmp_path, cache=tmp_path / "cache", device="cpu")
    *_, result = run_trial(tiny_spec(model={"use": "own"}, stage="confirm"), catalog, workspace)
    assert isinstance(result, TrialResult) and result.state == "complete", result
    return result


def test_a_model_that_reseeds_in_forward_is_named_in_its_result(tmp_path: Path) -> None:
    def build(task: Task, /) -> Reseeding:
        return Reseeding(task, 4, 0.0, "none", 1)

    result = outcome(build, tmp_path)
    (note,) = result.notes
    assert note == "architecture 'own' (local 0) reseeds torch's generator with 0; it was put back"


def test_an_honest_model_leaves_no_note(tmp_path: Path) -> None:
    def build(task: Task, /) -> TinyCnn:
        return TinyCnn(task, 4, 0.5, "none", 1)

    assert outcome(build, tmp_path).notes == ()
