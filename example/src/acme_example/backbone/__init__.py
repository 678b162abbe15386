"""The backbone `two_convs`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness import Component, hookimpl

if TYPE_CHECKING:
    from harness.nn import Backbone


def build_two_convs(channels: int, /, *, features: int = 8) -> Backbone:
    """Build two convolutions of stride 2.

    Args:
        channels: of the image.
        features: channels of the feature map, at least 1.
    """
    from acme_example.backbone.network import TwoConvs

    return TwoConvs(channels, features)


def two_convs_facts(*, features: int) -> Mapping[str, int]:
    """Return stride and features, so that the plan knows the size of the map.

    Raises:
        ValueError: a parameter is out of range.
    """
    if features < 1:
        raise ValueError(f"`features >= 1` must hold, but got {features=}.")
    return {"stride": 4, "features": features}


@hookimpl
def harness_backbones() -> Iterable[Component[Backbone]]:
    """Yield the backbones of this package."""
    yield Component(
        name="two_convs",
        build=build_two_convs,
        facts=two_convs_facts,
        summary="two convolutions of stride 2",
        space={"features": {"choice": [8, 16]}},
    )
