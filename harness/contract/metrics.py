"""The record of a metric: its formula, and what plans, tables, reports and docs must know of it. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.contract.components import Component

Reads = Literal["scores", "winners", "maps", "lesions", "layers", "attention", "weights"]
Form = Literal["statistic", "mean", "term"]
Level = Literal["leaderboard", "runs", "report", "tables"]

LEVELS: tuple[Level, ...] = ("leaderboard", "runs", "report", "tables")
"""Where a metric is shown without being named, from everywhere to the long tables alone."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A column that a metric has without a study naming it.

    Args:
        level: of the four tables, this one and those after it: "leaderboard", "runs" (a row a trained model), "report"
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

    The formula, with `terms` as `reads` says and the fitted threshold last where there is a `fit`:

    * form "mean": `build(terms, /, **params) -> "n"`, a value an image; the metric is their mean, NaN left out.
    * form "statistic": `build(terms, weights, /, **params) -> "r"`; `weights` is "r n", how often each row counts in
      each of r resamples, or None where each counts once, which gives a number.
    * form "term": the value of one image while the model is tested, `build(saliency "i j", mask "h w", /, **params)` of
      maps and `build(weights "n", /, **params)` of attention. It is stored, and the metric is the mean.

    `facts(**params)` raises ValueError for parameters that are out of range.

    Args:
        label: a few words for the head of a column.
        reads: the terms: "scores" (`Scores` of a class), "winners" (`Winners`, of all classes), "maps" (rows of the
            maps table whose lesion is known), "lesions" (`Froc`), "layers" (a mapping an image), "attention" (rows of
            the attention table), "weights" (attention alone). See `harness.metrics.functional`.
        form: what the formula gives.
        terms: columns of the maps table that it reads.
        per: what is counted: images, lesions or pixels.
        bounds: the lowest and the highest value.
        fit: `fit(terms, /, **params) -> threshold`, on `val` for scores and on `tune_loc` for maps; NaN where nothing
            can be fitted, which makes the metric NaN.
        threshold: `threshold(terms, /, **params)`, what the tables state where nothing is fitted.
        threshold_from: "fixed" or "rate", where it comes from.
        probabilities: whether scores outside [0, 1] have no value.
        whole: the value over all classes: their mean, a value of its own, or the only value there is.
        equal: a column whose mean must agree between two models for their difference to mean anything; "" for none.
        interval: whether the further tables state an interval.
        order: place among the others, the lowest first; those of one ten stand together, the first column of each
            before the second.
        standing: columns that it has without being named.
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
