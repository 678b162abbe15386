"""A plugin that takes a built-in's name."""

from __future__ import annotations

from collections.abc import Iterable

from harness import Component, hookimpl


def build_resnet22(channels: int, /) -> object:
    """Never built."""
    return object()


@hookimpl
def harness_backbones() -> Iterable[Component[object]]:
    """A name that is taken."""
    yield Component(name="resnet22", build=build_resnet22, summary="not the published one")
