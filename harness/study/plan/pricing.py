"""What a study's maps cost in passes of the network, told by the plan before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.contract.components import Factory
from harness.contract.types import Task
from harness.study.file.sections import ExplainSection

MANY = 16
"""Passes an image and class from which on an explainer's cost is told."""


def explaining(section: ExplainSection, factories: Mapping[str, Factory], tasks: Collection[Task]) -> Iterator[str]:
    """A line for each explainer that is not cheap, and one for what [explain.faithfulness] adds.

    Args:
        section: the study's.
        factories: its explainers, by the names of their maps.
        tasks: of the variants' data sets.
    """
    prices = {name: _price(factory.facts().get("cost", {}), tasks) for name, factory in factories.items()}
    for name, price in prices.items():
        if price:
            yield f"the explainer {name!r} takes {price} an image and class"
    if any(prices.values()) and any(task.mask_kind != "none" for task in tasks):
        yield "the control of maps that are held against masks takes as many passes again, on random weights"
    wanted = section.faithfulness
    if wanted is None or not wanted.use:
        return
    maps = f" and {wanted.maps} more maps by each explainer" if wanted.maps else ""
    yield (
        f"faithfulness ({', '.join(wanted.use)}) takes {wanted.forwards:,} forward passes{maps}, for each map of "
        f"{wanted.images} test images in a confirmation"
    )


def windows(size: tuple[int, int], window_px: int, stride_px: int) -> int:
    """How often a window moves over an image; the last one of a row or column may hang over the edge."""
    rows, columns = (math.ceil(max(0, length - window_px) / stride_px) + 1 for length in size)
    return rows * columns


def _price(cost: Mapping[str, Any], tasks: Collection[Task]) -> str:
    if cost.get("forwards_per_channel"):
        return "a forward pass for each channel of its layer, for"
    forwards = cost.get("forwards", 0)
    if "window_px" in cost:
        forwards += max((windows(task.image_size, cost["window_px"], cost["stride_px"]) for task in tasks), default=0)
    if forwards < MANY:
        return ""
    both = "passes there and back" if cost.get("backwards") else "forward passes"
    return f"{forwards:,} {both} for"
