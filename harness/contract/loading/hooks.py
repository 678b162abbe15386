"""The hooks of one plugin: its functions against the hook specifications."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pluggy

from harness.contract.errors import InputError, nearest
from harness.contract.loading.hookspecs import HarnessSpecs

PREFIX = "harness_"
HOOKS = tuple(name for name in vars(HarnessSpecs) if name.startswith(PREFIX))
OBSERVING = tuple(name for name in HOOKS if name.endswith(("_started", "_finished")))
"""The hooks that are called while a study runs."""


def new_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks of the harness."""
    manager = pluggy.PluginManager("harness")
    manager.add_hookspecs(HarnessSpecs)
    return manager


def check_hooks(plugin: Any) -> None:
    """Check the functions of a plugin that are hooks, or look like one.

    Raises:
        InputError: a hook is misspelt or not marked, or an argument has a default; every mistake at once.
    """
    mistakes = [message for name in dir(plugin) for message in _mistakes(name, getattr(plugin, name, None))]
    if mistakes:
        raise InputError("; ".join(mistakes))


def _mistakes(name: str, found: Any) -> Iterator[str]:
    marked = hasattr(found, "harness_impl")
    if not marked and not (name.startswith(PREFIX) and inspect.isroutine(found)):
        return
    if name not in HOOKS:
        hint = nearest(name.removeprefix(PREFIX), [hook.removeprefix(PREFIX) for hook in HOOKS])
        if marked or hint:
            yield f"there is no hook named {name!r}{nearest(name, HOOKS)}"
    elif not marked:
        yield f"{name} is not marked as a hook, so it is never called: write `@hookimpl` above `{_line(name, found)}`"
    else:
        yield from _defaults(name, found)


def _defaults(name: str, hook: Callable[..., Any]) -> Iterator[str]:
    for key, parameter in inspect.signature(hook).parameters.items():
        if parameter.default is not parameter.empty:
            # pluggy never passes such an argument: the hook would always see its own default.
            yield f"{name}: the argument {key!r} has a default, and none may have one; write {key!r} alone"


def _line(name: str, hook: Callable[..., Any]) -> str:
    return f"def {name}({', '.join(inspect.signature(hook).parameters)})"
