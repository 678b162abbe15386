"""The architecture `map_mean`: its parameters and declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import BackboneFactory, Component, Task, hookimpl, use

if TYPE_CHECKING:
    from harness.nn import Model


def build_map_mean(
    task: Task, /, *, backbone: BackboneFactory = use("resnet22", stride=8, width=4), dropout: float = 0.0
) -> Model:
    """Build a map a class, whose mean is the score of the image.

    Args:
        task: classes, channels and image size.
        backbone: the network; the study may set any backbone.
        dropout: share of feature channels set to 0 in training, in [0, 1).
    """
    from acme_example.architecture.network import MapMean

    return MapMean(backbone(task.channels), len(task.classes), task.kind == "multiclass", dropout)


def map_mean_facts(task: Task, /, *, dropout: float, **_: object) -> dict[str, object]:
    """Check the parameters while the study is planned.

    Raises:
        ValueError: a parameter is out of range.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"`0 <= dropout < 1` must hold, but got {dropout=}.")
    return {}


@hookimpl
def harness_architectures() -> Iterable[Component[Model]]:
    """Yield the architectures of this package."""
    yield Component(
        name="map_mean",
        build=build_map_mean,
        facts=map_mean_facts,
        summary="a map a class and its mean",
        provides=frozenset({"saliency", "explain_layer"}),
        space={"dropout": {"float": [0.0, 0.5]}},
    )
