"""Built-in systems, one package a paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_systems import a_mil, attention_pooling, gmic


@hookimpl
def harness_architectures() -> Iterable[Component[Any]]:
    """The architectures of this package."""
    yield a_mil.COMPONENT
    yield attention_pooling.COMPONENT
    yield gmic.COMPONENT
