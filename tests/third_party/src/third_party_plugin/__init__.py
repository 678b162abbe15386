"""An architecture that breaks its promise: it reads a mask file while it is trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, Task, hookimpl

if TYPE_CHECKING:
    from harness.nn import Model


def build_spy(task: Task, /, *, path: str) -> Model:
    """Build a model with an eye on a mask file: what a fence is for."""
    from third_party_plugin.network import Spy

    return Spy(task, path)


@hookimpl
def harness_architectures() -> Iterable[Component[Model]]:
    """Yield the spy."""
    yield Component(
        name="spy", build=build_spy, summary="reads a mask while it is trained", provides=frozenset({"saliency"})
    )
