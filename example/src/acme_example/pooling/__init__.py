"""The pooling `median`: its parameters and declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl

if TYPE_CHECKING:
    from harness.nn import Pooling


def build_median(features: int, outputs: int, /, *, window: int = 1) -> Pooling:
    """Build the median of the instances.

    Args:
        features: width of the vectors that an attention would look at; not used.
        outputs: number of weight maps that an attention would give; not used.
        window: number of neighbouring instances that are averaged first, at least 1.
    """
    from acme_example.pooling.network import Median

    return Median(window)


def median_facts(cells: int, /, *, window: int) -> dict[str, object]:
    """Check the parameters while the study is planned.

    Raises:
        ValueError: a parameter is out of range.
    """
    if window < 1:
        raise ValueError(f"`window >= 1` must hold, but got {window=}.")
    return {}


@hookimpl
def harness_poolings() -> Iterable[Component[Pooling]]:
    """Yield the poolings of this package."""
    yield Component(
        name="median",
        build=build_median,
        facts=median_facts,
        summary="the median of the instances",
        space={"window": {"choice": [1, 3]}},
        xfail={"gradient_reaches_every_instance": "the gradient of a median reaches the middle instance only"},
    )
