"""Built-in systems, one package a paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_systems import ag_cnn, gmic


@hookimpl
def harness_architectures() -> Iterable[Component[Any]]:
    """The architectures of this package."""
    yield ag_cnn.COMPONENT
    yield gmic.COMPONENT
