"""The state of the process while a plugin is imported: torch's switches are put back, other changes are listed."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.contract.loading.torch_state import TorchState


@contextmanager
def watched_import(changes: list[str]) -> Iterator[None]:
    """Put back what an import changes in torch, and collect it with other changes, which stay.

    Args:
        changes: receives each change, as the rest of a sentence about the plugin.
    """
    torch, process = _torch(), _process()
    position = torch and _generator().get_state()
    try:
        yield
    finally:
        changes += [f"{change} while it is imported; it was put back" for change in _undone(torch, position)]
        changes += [f"{change} while it is imported" for change in _differences(process, _process())]


def _torch() -> TorchState | None:
    """Return torch's state; None while torch is not loaded, which this does not change."""
    state: TorchState | None = _module().TorchState.now() if "torch" in sys.modules else None
    return state


def _undone(before: TorchState | None, position: Any) -> list[str]:
    after = _torch()
    if after is None:
        return []
    expected: TorchState = before or _module().initial(after)
    changes = list(expected.changes(after))
    expected.put_back(after)
    if after.seed != expected.seed:
        _generator().seed() if position is None else _generator().set_state(position)
    return changes


def _module() -> Any:
    """Return the module that reads torch's state, which imports torch: what loads plugins must not need it."""
    return importlib.import_module("harness.contract.loading.torch_state")


def _generator() -> Any:
    return sys.modules["torch"].default_generator


def working_folder() -> str:
    """Return the working directory; "" if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _process() -> dict[str, dict[str, Any]]:
    return {
        "changes the environment": dict(os.environ),
        "changes the working directory": {"to": working_folder()},
        "handles signals": {number.name: signal.getsignal(number) for number in signal.Signals},
        "adds filters of warnings": {"": list(warnings.filters)},
    }


def _differences(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> Iterator[str]:
    for what, then in before.items():
        now = after[what]
        if names := [name for name in {**then, **now} if then.get(name) != now.get(name)]:
            yield f"{what}: {', '.join(names)}".removesuffix(": ").removesuffix(": to")
