"""Variance components of a value: configuration, seed and fold; each ± names its axis.

Random-effects components by the method of moments, on a full grid with one observation per cell. A study's
confirmations are such a grid: every variant at every seed and fold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.statistics.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

REST = "rest"
"""The variance that no axis explains: interactions and noise."""

_COLUMNS = ("axis", "levels", "component", "std", "share")


def variance_split(rows: pd.DataFrame, value: str, axes: Sequence[str]) -> pd.DataFrame:
    """Compute variance components of a value over the axes of a full grid.

    With mean squares MS and N cells, axis A of a levels has the component (MS_A - MS_rest) a / N. It is negative if
    it is small relative to the rest; `share` and `std` then count it as 0. If only one axis has several levels, its
    component is the plain variance over it, which includes the rest: they cannot be separated without replicates.

    Args:
        rows: one row per cell; rows with a NaN value count as missing.
        value: name of the column of values.
        axes: columns; those with one level are left out. Levels of the first axis that lack a cell are left
            out too, such as a variant that lost a seed.

    Returns:
        `axis`, `levels`, `component` (a variance), `std` (its root, the number after a ±) and `share` of the
        sum: one row per axis, then REST; no row if no axis has two levels.

    Raises:
        ValueError: a cell has several rows, or the grid has holes elsewhere.

    Source: Searle, Casella, McCulloch 1992, Variance Components, chapter 4.
    """
    import pandas as pd

    rows = rows[rows[value].notna()]
    rows = rows.assign(**{axis: rows[axis].astype(object).where(rows[axis].notna(), "none") for axis in axes})
    if rows.duplicated(list(axes)).any():
        cell = rows[rows.duplicated(list(axes))].iloc[0][list(axes)].to_dict()
        raise ValueError(f"{_named(cell)} has several values; a grid needs one per cell.")
    rows = _whole(rows, axes)
    used = [axis for axis in axes if rows[axis].nunique() > 1]
    if not used:
        return pd.DataFrame(columns=list(_COLUMNS))
    grid = _grid(rows, value, used)
    parts = _components(grid)
    names, levels = [*used, REST][: len(parts)], [*grid.shape, grid.size][: len(parts)]
    positive = np.maximum(parts, 0)
    share = positive / positive.sum() if positive.sum() > 0 else np.full(len(parts), math.nan)
    return pd.DataFrame(dict(zip(_COLUMNS, (names, levels, parts, np.sqrt(positive), share), strict=True)))


def variance_table(trials: pd.DataFrame, *, order: Sequence[str]) -> pd.DataFrame:
    """Compute the variance components of a study's validation value, for each set of trials with an axis.

    Returns:
        `of` ("search" of one variant over its configurations at one seed; "confirm" of one variant over seed and
        fold; "confirm" of all variants together, each with its best configuration), `variant` ("" for all), and
        the columns of `variance_split`.
    """
    import pandas as pd

    done = trials[(trials["state"] == "complete") & trials["variant"].isin(list(order))]
    done = done.assign(value=done["value"].astype(float), configuration=done["number"])
    search, confirm = done[done["stage"] == "search"], done[done["stage"] == "confirm"]
    replicates = [axis for axis in ("seed", "fold") if axis in done]
    parts = [("search", name, search[search["variant"] == name], ["configuration"]) for name in order]
    parts += [("confirm", name, confirm[confirm["variant"] == name], replicates) for name in order]
    parts.append(("confirm", "", confirm.assign(configuration=confirm["variant"]), ["configuration", *replicates]))
    found = []
    for stage, name, rows, axes in parts:
        split = variance_split(rows, "value", axes) if len(rows) > 1 else None
        if split is not None and len(split):
            found.append(split.assign(of=stage, variant=name)[["of", "variant", *_COLUMNS]])
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["of", "variant", *_COLUMNS])


def _whole(rows: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Return the rows without levels of the first axis that lack a cell."""
    if len(axes) < 2 or rows.empty:
        return rows
    counts = rows.groupby(axes[0], sort=False).size()
    return rows[rows[axes[0]].isin(counts.index[counts == counts.max()])]


def _grid(rows: pd.DataFrame, value: str, axes: Sequence[str]) -> Array:
    """Return the values as an array with one dimension per axis."""
    levels = [list(rows[axis].unique()) for axis in axes]
    grid = np.full([len(own) for own in levels], math.nan)
    for row in rows.to_dict("records"):
        grid[tuple(own.index(row[axis]) for own, axis in zip(levels, axes, strict=True))] = row[value]
    if np.isnan(grid).any():
        hole = np.argwhere(np.isnan(grid))[0]
        cell = {axis: own[place] for axis, own, place in zip(axes, levels, hole, strict=True)}
        raise ValueError(f"there is no value of {_named(cell)}; variance components need the full grid.")
    return grid


def _components(grid: Array) -> Array:
    """Return the component of each axis, then that of the rest if there is any."""
    overall, count, free = grid.mean(), grid.size, grid.size - 1
    squares, rest = [], float(((grid - overall) ** 2).sum())
    for axis, levels in enumerate(grid.shape):
        means = grid.mean(tuple(other for other in range(grid.ndim) if other != axis))
        own = float(((means - overall) ** 2).sum()) * count / levels
        squares.append(own / (levels - 1))
        rest, free = rest - own, free - (levels - 1)
    if grid.ndim == 1:
        return np.array(squares)
    noise = max(rest, 0.0) / free
    own_parts = [(square - noise) * levels / count for square, levels in zip(squares, grid.shape, strict=True)]
    return np.array([*own_parts, noise])


def _named(cell: dict[Any, Any]) -> str:
    return ", ".join(f"{axis} {level}" for axis, level in cell.items())
