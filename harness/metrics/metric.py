"""A metric with its parameters, under the key that a study or a table gives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from harness.contract.components import parameters
from harness.contract.metrics import Level, MetricRecord
from harness.statistics.arrays import Array, mean_defined
from harness.statistics.bootstrap import Statistic, mean

TERM = "term"
"""The column in which a metric of form "term" finds its values."""


@dataclass(frozen=True)
class Metric:
    """A record with its parameters filled in.

    Args:
        key: of its columns.
        record: the formula and its properties.
        params: of the formula.
        label: for the title of a column.
        level: at which it is shown by default; None if a study names it.
        origin: distribution and version that provide it.
    """

    key: str
    record: MetricRecord
    params: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    level: Level | None = None
    origin: tuple[str, str] = ("", "")

    @property
    def title(self) -> str:
        """The title of its column."""
        return self.label or (self.record.label if self.key == self.record.name else self.key)

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """Every parameter of the formula, those that are not set with their defaults; `fit` gets them, too."""
        known = parameters(self.record.build).values()
        return {item.name: item.default for item in known if not item.required} | dict(self.params)

    @property
    def sign(self) -> int:
        """1 if higher is better, -1 if lower is better."""
        return 1 if self.record.higher_is_better else -1

    @property
    def split(self) -> str:
        """The split that its threshold is fitted on; "" without a fitted threshold."""
        if self.record.fit is None:
            return ""
        return "val" if self.record.reads in ("scores", "winners") else "tune_loc"

    def fitted(self, terms: Any) -> float:
        """Return the threshold fitted on the terms; NaN without a fitted threshold or without terms."""
        fit = self.record.fit
        return math.nan if fit is None or terms is None else float(fit(terms, **self.arguments))

    def values(self, terms: Any, threshold: float = math.nan) -> Array:
        """Return the value of each image, "n"; NaN if the threshold that it needs is NaN.

        Raises:
            TypeError: the metric is not a mean over images.
        """
        if self.record.form == "term":
            return np.asarray(terms[TERM].to_numpy(np.float64))
        if self.record.form != "mean":
            raise TypeError(f"{self.key!r} is not a mean over images, so it has no value per image.")
        if self.record.fit is None:
            return np.asarray(self.record.build(terms, **self.arguments), np.float64)
        if math.isnan(threshold):
            return np.full(len(terms), math.nan)
        return np.asarray(self.record.build(terms, threshold, **self.arguments), np.float64)

    def value(self, terms: Any, weights: Array | None = None, threshold: float = math.nan) -> Array:
        """Return the metric in each resample, "r", or its value without resampling.

        Args:
            terms: as defined by the record.
            weights: "r n", how often each row counts in each resample; None if each counts once.
            threshold: result of `fitted`.
        """
        if self.record.form != "statistic":
            values = self.values(terms, threshold)
            return np.asarray(mean_defined(values)) if weights is None else mean(values)(weights)
        if self.record.fit is None:
            return np.asarray(self.record.build(terms, weights, **self.arguments))
        if math.isnan(threshold):
            return np.full(() if weights is None else len(weights), math.nan)
        return np.asarray(self.record.build(terms, weights, threshold, **self.arguments))

    def statistic(self, terms: Any, threshold: float = math.nan) -> Statistic:
        """Return the metric as a function of weights."""
        if self.record.form != "statistic":
            return mean(self.values(terms, threshold))
        return lambda weights: self.value(terms, weights, threshold)

    def stated(self, terms: Any, threshold: float = math.nan) -> tuple[float, str]:
        """Return the threshold that a table states, and its source."""
        if self.record.fit is not None:
            return threshold, self.split
        stated = self.record.threshold
        return (math.nan if stated is None else float(stated(terms, **self.arguments))), self.record.threshold_from
