"""A function that looks like a hook is one, or its plugin is refused with the line as it should be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness import Component, hookimpl
from harness.contract.loading.catalog import Catalog


def reasons(**members: Any) -> list[str]:
    catalog = Catalog()
    catalog.register(SimpleNamespace(__name__="acme", **members))
    return [broken.reason for broken in catalog.broken]


def poolings() -> list[Component[object]]:
    return []


def observer(trial: object, epoch: object) -> None:
    raise AssertionError("never called")


@pytest.mark.parametrize(
    ("name", "function", "line"),
    [
        ("harness_poolings", poolings, "def harness_poolings()"),
        ("harness_epoch_finished", observer, "def harness_epoch_finished(trial, epoch)"),
    ],
)
def test_a_hook_that_is_not_marked_is_never_called_and_so_is_refused(name: str, function: Any, line: str) -> None:
    (reason,) = reasons(**{name: function})
    assert reason == (
        f"InputError: {name} is not marked as a hook, so it is never called: write `@hookimpl` above `{line}`"
    )


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("harness_poolngs", "harness_poolings"),
        ("harness_pooling", "harness_poolings"),
        ("harness_epoch_ended", "harness_epoch_finished"),
        ("harness_optimizers", "harness_optimisers"),
    ],
)
def test_a_misspelt_hook_is_refused_marked_or_not(name: str, hook: str, marked: bool) -> None:
    def function() -> list[object]:
        return []

    (reason,) = reasons(**{name: hookimpl(function) if marked else function})
    assert reason == f"InputError: there is no hook named {name!r}; did you mean {hook!r}?"


def test_every_mistake_is_in_one_message() -> None:
    (reason,) = reasons(harness_poolings=poolings, harness_backbons=poolings)
    assert "harness_backbones" in reason and "write `@hookimpl` above" in reason


def test_a_helper_of_another_name_is_the_plugins_own() -> None:
    assert reasons(harness_home=poolings, harness_version="1.0", helper=poolings) == []
