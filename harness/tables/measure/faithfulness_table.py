"""The faithfulness table: every measure of every map, with intervals over patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.tables import SHIFTED
from harness.metrics.maps.faithfulness import drop, increase, relative_drop
from harness.statistics.arrays import Array
from harness.statistics.bootstrap import Resamples, average, if_enough, interval, mean
from harness.tables.rows import REPLICATE

if TYPE_CHECKING:
    import pandas as pd


def faithfulness_table(
    rows: pd.DataFrame, *, order: Sequence[str] = (), resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Return every faithfulness metric of every map, with 95 % intervals over patients.

    Returns:
        `variant`, `map`, `method`, `level`, `replicates`, `n` (fewest images of one); then, each with `_low` and
        `_high`, and NaN if the method lacks the metric:
        `rest_drop`, `rest_drop_percent`, `rest_increase`: with the rest of the image covered;
        `important_drop`, `important_drop_percent`, `important_increase`: with the important part covered;
        `margin`: mean probability with the rest covered minus that with the important part covered;
        `margin_shifted`: that of the same map moved to a random place; `margin_gain`: `margin` minus
        `margin_shifted`, paired by image, NaN for older tables without it;
        `curve_area`, `rank_correlation`, `ssim`. Values are means over images, then over replicates.
    """
    import pandas as pd

    if rows.empty:
        values = [f"{name}{bound}" for name in METRICS for bound in ("", "_low", "_high")]
        return pd.DataFrame(columns=["variant", "map", "method", "level", "replicates", "n", *values])
    drawn = Resamples.draw(rows["group"].unique(), resamples, seed)
    found = []
    for keys, own in rows.groupby(["variant", "map", "method", "level"], dropna=False, sort=False):
        counts, patients = own.groupby(REPLICATE, dropna=False)["id"].nunique(), own["group"].nunique()
        row = dict(zip(("variant", "map", "method", "level"), keys, strict=True))
        row |= {"replicates": len(counts), "n": int(counts.min())}
        for name, of in METRICS.items():
            row |= _bounded(name, if_enough(_over_replicates(own, drawn, of), patients))
        found.append(row)
    names = list(dict.fromkeys([*order, *rows["variant"]]))
    table = pd.DataFrame(found)
    return table.sort_values("variant", key=lambda own: own.map(names.index), kind="stable", ignore_index=True)


def _column(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows.set_index("group")[name].dropna()


def _of_cover(covered: str, metric: Callable[[Array, Array], Array]) -> Callable[[pd.DataFrame], pd.Series]:
    def of(rows: pd.DataFrame) -> pd.Series:
        own = rows[rows["covered"] == covered].set_index("group")
        return own["before"] * 0 + metric(own["before"].to_numpy(), own["after"].to_numpy())

    return of


def _margins(rows: pd.DataFrame, of: str = "") -> pd.Series:
    """Return the score with the rest covered minus that with the important part covered, paired by image."""
    index = ["group", "id", "class"]
    rest, important = (rows[rows["covered"] == of + name].set_index(index)["after"] for name in ("rest", "important"))
    return (rest - important).dropna()


def _gains(rows: pd.DataFrame) -> pd.Series:
    """Return the map's margin minus that of the same map at a random place, paired by image."""
    return (_margins(rows) - _margins(rows, SHIFTED)).dropna()


def _by_patient(values: pd.Series) -> pd.Series:
    return values.reset_index(["id", "class"], drop=True)


METRICS: Mapping[str, Callable[[Any], Any]] = {
    "rest_drop": _of_cover("rest", drop),
    "rest_drop_percent": _of_cover("rest", relative_drop),
    "rest_increase": _of_cover("rest", increase),
    "important_drop": _of_cover("important", drop),
    "important_drop_percent": _of_cover("important", relative_drop),
    "important_increase": _of_cover("important", increase),
    "margin": lambda rows: _by_patient(_margins(rows)),
    "margin_shifted": lambda rows: _by_patient(_margins(rows, SHIFTED)),
    "margin_gain": lambda rows: _by_patient(_gains(rows)),
    "curve_area": _column("curve_area"),
    "rank_correlation": _column("rank_correlation"),
    "ssim": _column("ssim"),
}
"""Metric -> its value per image, indexed by patient, from the rows of one model, map, method and level."""


def _over_replicates(rows: pd.DataFrame, drawn: Resamples, of: Callable[[pd.DataFrame], pd.Series]) -> Array:
    """Return the mean over images, then over replicates, in every resample."""
    runs = []
    for _, own in rows.groupby(REPLICATE, dropna=False, sort=False):
        values = of(own)
        groups: list[Hashable] = values.index.tolist()
        runs.append(drawn.apply(groups, mean(values.to_numpy(np.float64))) if groups else np.full(1, math.nan))
    return average(runs)


def _bounded(name: str, values: Array) -> dict[str, float]:
    found = interval(values)
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
