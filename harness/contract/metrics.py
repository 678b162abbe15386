"""The record of a metric: its formula and its description for plans, tables, reports and docs. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.contract.components import Component

Reads = Literal["scores", "winners", "maps", "lesions", "layers", "attention", "weights"]
Form = Literal["statistic", "mean", "term"]
Level = Literal["leaderboard", "replicates", "report", "tables"]

LEVELS: tuple[Level, ...] = ("leaderboard", "replicates", "report", "tables")
"""The tables that show a metric which no study names, from all tables to the long ones only."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A column of a metric that is shown even if no study names it.

    Args:
        level: the first of four tables that show it: "leaderboard", "replicates" (a row per trained model), "report"
            and "tables" (everything, in long form).
        name: the column's key; "" is the metric's own name.
        label: in the report; "" is the metric's own label.
        params: of the formula.
    """

    level: Level
    name: str = ""
    label: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MetricRecord(Component[Any]):
    """A metric. Its `build` is the formula: the harness supplies the terms, a study sets keyword-only parameters.

    The formula by form; `reads` defines `terms`, and a threshold from `fit` is the last argument:

    * form "mean": `build(terms, /, **params) -> "n"`, one value per image; the metric is their mean without NaN.
    * form "statistic": `build(terms, weights, /, **params) -> "r"`; `weights` is "r n", the count of each row in
      each of r resamples, or None to count each row once, which gives a number.
    * form "term": the value of one image while the model is tested: `build(saliency "i j", mask "h w", /, **params)`
      for maps, `build(weights "n", /, **params)` for attention. It is stored, and the metric is the mean.

    `facts(**params)` raises ValueError for parameters that are out of range.

    Args:
        label: short heading of a column.
        reads: the terms: "scores" (`Scores` of a class), "winners" (`Winners`, of all classes), "maps" (rows of the
            maps table whose lesion is known), "lesions" (`Froc`), "layers" (a mapping an image), "attention" (rows of
            the attention table), "weights" (attention alone). See `harness.metrics.functional`.
        form: the kind of value that the formula gives.
        terms: columns of the maps table that it reads.
        per: the unit that is counted: images, lesions or pixels.
        bounds: the lowest and the highest value.
        fit: `fit(terms, /, **params) -> threshold`, on `val` for scores and on `tune_loc` for maps; NaN if nothing can
            be fitted, which makes the metric NaN.
        threshold: `threshold(terms, /, **params)`: the threshold in the tables if nothing is fitted.
        threshold_from: source of that threshold: "fixed" or "rate".
        probabilities: True if the metric is undefined for scores outside [0, 1].
        whole: the value over all classes: their mean, a value of its own, or the only value there is.
        equal: a column whose mean must be equal in two models for a valid difference; "" for none.
        interval: True if the further tables give an interval.
        order: position among the metrics, lowest first; metrics of one ten are grouped, the first column of each
            before the second.
        standing: columns that are shown even if no study names the metric.
    """

    label: str
    reads: Reads
    form: Form = "mean"
    terms: tuple[str, ...] = ()
    per: Literal["image", "lesion", "pixel"] = "image"
    bounds: tuple[float, float] = (0.0, 1.0)
    fit: Callable[..., float] | None = None
    threshold: Callable[..., float] | None = None
    threshold_from: Literal["", "fixed", "rate"] = ""
    probabilities: bool = False
    whole: Literal["mean", "own", "only"] = "mean"
    equal: str = ""
    interval: bool = True
    order: int = 1000
    standing: tuple[Standing, ...] = ()
