"""The rows of the tables of confirmed models, grouped by model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.contract.tables import OWN_HEAD, OWN_MAP

if TYPE_CHECKING:
    import pandas as pd

REPLICATE = ["seed", "fold"]
"""Columns that distinguish the replicates of one variant."""

Replicate: TypeAlias = tuple[Any, ...]
"""Seed and fold as a table has them (`harness.contract.types.Replicate`): a column with gaps holds seeds as floats."""


def heads_of(maps: pd.DataFrame) -> Any:
    """Return the head of each row of a maps table: the model's own output, or the name of an explainer."""
    return maps["map"].where(maps["map"] != OWN_MAP, OWN_HEAD)


def by_model(rows: pd.DataFrame, part: str = "head") -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Yield the rows of each (variant, head, seed, fold), in the order they come; `part` may be "map"."""
    for key, own in rows.groupby(["variant", part, *REPLICATE], dropna=False, sort=False):
        yield tuple(None if value != value else value for value in key), own  # a NaN equals no other
