"""The hooks of one plugin: its functions against the hook specifications."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pluggy

from harness.contract.errors import InputError, nearest
from harness.contract.loading.hookspecs import HarnessSpecs

PREFIX = "harness_"
HOOKS = tuple(name for name in vars(HarnessSpecs) if name.startswith(PREFIX))
OBSERVING = tuple(name for name in HOOKS if name.endswith(("_started", "_finished")))
"""The hooks that are called while a study runs."""
CONTRACT = 1
"""The contract between harness and plugins. It rises with a change that breaks plugins; see docs/plugins.md."""
ACCEPTED: Mapping[int, str] = {CONTRACT: ""}
"""Contract that plugins may state -> what has changed since, for a plugin that states an older one."""


def check_contract(plugin: Any) -> None:
    """Check the contract that a plugin states by `contract = 1`; one that states none is written for 1.

    Raises:
        InputError: it is written for another contract.
    """
    stated = getattr(plugin, "contract", 1)
    if not isinstance(stated, int | float | str):  # a function or module of the plugin's own
        return
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        raise InputError(f"a plugin states its contract by a number, as `contract = {CONTRACT}`, not {stated!r}")
    if stated not in ACCEPTED:
        way = "update mil-harness" if stated > CONTRACT else "update the plugin"
        raise InputError(f"it is written for contract {stated}, and this harness has contract {CONTRACT}: {way}")


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
