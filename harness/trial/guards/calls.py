"""A guard around each call of a component: torch's switches and seeds are put back, and their change is noted.

It costs less than three microseconds a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch

from harness.contract.loading.torch_state import TorchState, read

_position: Callable[[], Any] = torch.default_generator.get_state
_has_cuda: Callable[[], bool] = torch.cuda.is_initialized


class Notes:
    """What components of a trial changed, each kind of change once."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    def add(self, component: object, changes: Iterator[str]) -> None:
        """Note changes of a component, or of what a text names."""
        name = component if isinstance(component, str) else name_of(component)
        for change in changes:
            self._found.setdefault(f"{name} {change}; it was put back", None)

    def __iter__(self) -> Iterator[str]:
        """Yield the notes, in the order in which they were found."""
        return iter(self._found)


_watching: list[Notes] = []
"""The notes of the trial that runs in this process; a worker runs one at a time."""


@contextmanager
def noted(notes: Notes) -> Iterator[None]:
    """Let `guarded` note changes during a block."""
    _watching.append(notes)
    try:
        yield
    finally:
        _watching.pop()


class guarded:  # noqa: N801  # used as a context manager
    """A block in which one component is called.

    Args:
        component: the object whose method is called, or its name.
    """

    __slots__ = ("_component", "_cuda", "_position", "_state")

    def __init__(self, component: object) -> None:
        self._component = component

    def __enter__(self) -> None:
        """Read the state."""
        self._state, self._position = read(), _position()
        self._cuda = _cuda_positions() if _has_cuda() else ()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Compare the state, put it back if it differs, and note the difference."""
        if read() != self._state or any(item.initial_seed() != seed for item, seed, _ in self._cuda):
            self._put_back()

    def _put_back(self) -> None:
        before, after = TorchState(*self._state), TorchState.now()
        changes = list(before.changes(after))
        before.put_back(after)
        if after.seed != before.seed:
            torch.default_generator.set_state(self._position)
        for generator, seed, position in self._cuda:
            if generator.initial_seed() != seed:
                if after.seed == before.seed:
                    changes.append(f"reseeds the generator of {generator.device} with {generator.initial_seed()}")
                generator.manual_seed(seed)
                generator.set_offset(position)
        if _watching:
            _watching[-1].add(self._component, iter(changes))


def name_of(component: object) -> str:
    """Return how notes name a component: by its origin if a factory built it, else by its class."""
    kind = type(component)
    return str(getattr(component, "harness_origin", None) or f"{kind.__module__}.{kind.__qualname__}")


def _cuda_positions() -> tuple[tuple[Any, int, Any], ...]:
    """Return generator, seed and offset of the current GPU."""
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    return ((generator, generator.initial_seed(), generator.get_offset()),)
