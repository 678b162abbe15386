"""The cost of a study's maps in passes of the network, which the plan reports before training."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.contract.components import Factory
from harness.contract.types import Task
from harness.study.file.sections import ExplainSection

MANY = 16
"""Passes for each image and class from which on the cost of an explainer is reported."""


def explaining(section: ExplainSection, factories: Mapping[str, Factory], tasks: Collection[Task]) -> Iterator[str]:
    """Yield a line for each explainer that is not cheap, and one for the cost of [explain.faithfulness]."""
    prices = {name: _price(factory.facts().get("cost", {}), tasks) for name, factory in factories.items()}
    for name, price in prices.items():
        if price:
            yield f"the explainer {name!r} takes {price} for each image and class"
    if any(prices.values()) and any(task.mask_kind != "none" for task in tasks):
        yield "the control for maps compared with masks takes as many passes again, on random weights"
    wanted = section.faithfulness
    if wanted is None or not wanted.use:
        return
    maps = f" and {wanted.maps} more maps by each explainer" if wanted.maps else ""
    yield (
        f"faithfulness ({', '.join(wanted.use)}) takes {wanted.forwards:,} forward passes{maps} for each map of "
        f"{wanted.images} test images in a confirmation"
    )


def windows(size: tuple[int, int], window_px: int, stride_px: int) -> int:
    """Return the number of positions of a window; the last one of a row or column may exceed the image."""
    rows, columns = (math.ceil(max(0, length - window_px) / stride_px) + 1 for length in size)
    return rows * columns


def _price(cost: Mapping[str, Any], tasks: Collection[Task]) -> str:
    if cost.get("forwards_per_channel"):
        return "a forward pass for each channel of its layer,"
    forwards = cost.get("forwards", 0)
    if "window_px" in cost:
        forwards += max((windows(task.image_size, cost["window_px"], cost["stride_px"]) for task in tasks), default=0)
    if forwards < MANY:
        return ""
    both = "forward and backward passes" if cost.get("backwards") else "forward passes"
    return f"{forwards:,} {both}"
