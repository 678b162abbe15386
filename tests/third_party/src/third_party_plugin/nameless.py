"""A plugin of a component that has no name."""

from __future__ import annotations

from collections.abc import Iterable

from harness import Component, hookimpl


def build_nameless(channels: int, /) -> object:
    """Never built."""
    return object()


@hookimpl
def harness_backbones() -> Iterable[Component[object]]:
    """None is no name."""
    yield Component(name=None, build=build_nameless, summary="has no name")
