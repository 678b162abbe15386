"""A guard around each epoch: folder, environment, signal handlers, Python's and NumPy's generators."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from harness.contract.loading.at_import import working_folder
from harness.trial.guards.calls import Notes, guarded

LIBRARIES = ("KMP_", "CUDA_MODULE_LOADING", "PYTORCH_", "TORCHINDUCTOR_", "TORCHELASTIC_", "TRITON_")
"""Beginnings of variables that scikit-learn, torch and Triton set when they are first used."""


@dataclass(frozen=True)
class ProcessState:
    """What a component must not change in its process.

    Args:
        folder: the working directory.
        environment: without the variables of LIBRARIES.
        handlers: of signals.
    """

    folder: str
    environment: Mapping[str, str]
    handlers: Mapping[signal.Signals, Any]

    @classmethod
    def now(cls) -> ProcessState:
        """Read the state."""
        return cls(
            working_folder(),
            {name: value for name, value in os.environ.items() if not name.startswith(LIBRARIES)},
            {number: signal.getsignal(number) for number in signal.Signals},
        )

    def changes(self, after: ProcessState) -> Iterator[str]:
        """Yield what differs in `after`, as the rest of a sentence."""
        if after.folder != self.folder:
            yield f"changes the working directory to {after.folder}"
        if names := _differing(self.environment, after.environment):
            yield f"changes the environment: {', '.join(names)}"
        if signals := _differing(self.handlers, after.handlers):
            yield f"handles signals: {', '.join(item.name for item in signals)}"

    def put_back(self, after: ProcessState) -> None:
        """Restore the state."""
        with suppress(OSError):  # it was removed
            os.chdir(self.folder)
        for name in _differing(self.environment, after.environment):
            if name in self.environment:
                os.environ[name] = self.environment[name]
            else:
                del os.environ[name]
        for number in _differing(self.handlers, after.handlers):
            with suppress(ValueError, TypeError):  # another thread than the main one; a handler of C
                signal.signal(number, self.handlers[number])


@contextmanager
def watched(notes: Notes, stage: str) -> Iterator[None]:
    """Put back at the end what any component changed in a stage of a trial, and note it.

    Args:
        notes: of the trial.
        stage: its components in words, for the notes.
    """
    before, seeds = ProcessState.now(), list[str]()
    try:
        with guarded(stage), _generators(seeds):
            yield
    finally:
        after = ProcessState.now()
        if after != before:
            before.put_back(after)
        notes.add(stage, iter([*before.changes(after), *seeds]))


@contextmanager
def _generators(seeds: list[str]) -> Iterator[None]:
    """Restore Python's and NumPy's generators at the end; collect who seeds them, since drawing is allowed."""
    python, numpy, seed, numpy_seed = random.getstate(), np.random.get_state(), random.seed, np.random.seed

    def recorded(call: Callable[..., None], whose: str) -> Callable[..., None]:
        @wraps(call)
        def seeding(*arguments: Any, **named: Any) -> None:
            seeds.append(f"seeds {whose} global generator")
            call(*arguments, **named)

        return seeding

    random.seed, np.random.seed = recorded(seed, "Python's"), recorded(numpy_seed, "NumPy's")  # type: ignore[assignment]
    try:
        yield
    finally:
        random.seed, np.random.seed = seed, numpy_seed  # type: ignore[assignment]
        random.setstate(python)
        np.random.set_state(numpy)


def _differing(before: Mapping[Any, Any], after: Mapping[Any, Any]) -> list[Any]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]
