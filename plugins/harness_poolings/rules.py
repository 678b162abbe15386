"""Common parts of the declarations and modules of poolings. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Rule = Literal["squared", "mean_square", "root_mean_square", "signed"]


def kept(count: int, fraction: float) -> int:
    """Return how many of `count` instances the share `fraction` keeps: rounded half to even, at least one.

    Raises:
        ValueError: `fraction` is outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"`0 < fraction <= 1` must hold, but got {fraction=}.")
    return max(1, int(round(count * fraction)))


def keeps(count: int) -> Mapping[str, Any]:
    """Return the facts of a pooling that averages the `count` highest cells."""
    return {"canonical": {"use": "top_fraction", "kept": count}}
