"""A metric with its parameters, under the key that a study or a table gives it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from textwrap import shorten
from typing import Any

import numpy as np

from harness.contract.components import parameters
from harness.contract.errors import ContractError, HarnessError, Origin, blamed
from harness.contract.metrics import Level, MetricRecord
from harness.statistics.arrays import Array, mean_defined, read_only
from harness.statistics.bootstrap import Statistic, mean

_LAW = "values_lie_within_the_bounds"
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
        faults: key -> the first error of a metric that breaks its contract; its values are then NaN. None to raise it.
    """

    key: str
    record: MetricRecord
    params: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    level: Level | None = None
    origin: tuple[str, str] = ("", "")
    faults: dict[str, str] | None = field(default=None, compare=False)

    def tolerated(self, faults: dict[str, str]) -> Metric:
        """Return the metric whose errors are noted and give NaN, so that a broken metric costs no other result."""
        return replace(self, faults=faults)

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
        if fit is None or terms is None:
            return math.nan
        return float(self._called((), fit, terms, infinite=True))  # inf: no decision is positive

    def term(self, *arrays: Array) -> float:
        """Return the value of one image, of a metric of form "term".

        Raises:
            ContractError: it is not a number.
        """
        return float(self._called((), self.record.build, *arrays))

    def values(self, terms: Any, threshold: float = math.nan) -> Array:
        """Return the value of each image, "n"; NaN if the threshold that it needs is NaN, none of a failed metric.

        Raises:
            TypeError: the metric is not a mean over images.
            ContractError: it gives something else than a number per image.
        """
        if self.record.form == "term":
            return np.asarray(terms[TERM].to_numpy(np.float64))
        if self.record.form != "mean":
            raise TypeError(f"{self.key!r} is not a mean over images, so it has no value per image.")
        if self.record.fit is None:
            return self._called(None, self.record.build, terms)
        if math.isnan(threshold):
            return np.full(len(terms), math.nan)
        return self._called(None, self.record.build, terms, threshold)

    def value(self, terms: Any, weights: Array | None = None, threshold: float = math.nan) -> Array:
        """Return the metric in each resample, "r", or its value without resampling.

        Args:
            terms: as defined by the record.
            weights: "r n", how often each row counts in each resample; None if each counts once.
            threshold: result of `fitted`.

        Raises:
            ContractError: it is not a number, is infinite, or lies outside the bounds of the record.
        """
        shape = () if weights is None else (len(weights),)
        if self.record.form != "statistic":
            values = self.values(terms, threshold)
            if self._has_failed:
                return np.full(shape, math.nan)
            found = np.asarray(mean_defined(values)) if weights is None else mean(values)(weights)
        elif self.record.fit is not None and math.isnan(threshold):
            return np.full(shape, math.nan)
        else:
            more = () if self.record.fit is None else (threshold,)
            found = self._called(shape, self.record.build, terms, weights, *more)
        return self._attempt(shape, lambda: _bounded(found, self.record.bounds, self._named))

    def statistic(self, terms: Any, threshold: float = math.nan) -> Statistic:
        """Return the metric as a function of weights."""
        if self.record.form != "statistic":
            values = self.values(terms, threshold)
            if not self._has_failed:
                return mean(values)
        return lambda weights: self.value(terms, weights, threshold)

    def stated(self, terms: Any, threshold: float = math.nan) -> tuple[float, str]:
        """Return the threshold that a table states, and its source."""
        if self.record.fit is not None:
            return threshold, self.split
        stated = self.record.threshold
        return (math.nan if stated is None else float(stated(terms, **self.arguments))), self.record.threshold_from

    @property
    def _named(self) -> Origin:
        return Origin("metric", self.record.name, *self.origin)

    @property
    def _has_failed(self) -> bool:
        return self.faults is not None and self.key in self.faults

    def _called(
        self, shape: tuple[int, ...] | None, formula: Callable[..., Any], *arguments: Any, infinite: bool = False
    ) -> Array:
        """Return the numbers that a formula gives for arguments that it cannot write to."""

        def call() -> Array:
            with blamed(self._named):
                found = formula(*map(_protected, arguments), **self.arguments)
            return _as_numbers(found, shape, self._named, infinite)

        return self._attempt(shape, call)

    def _attempt(self, shape: tuple[int, ...] | None, compute: Callable[[], Array]) -> Array:
        """Return computed numbers, or NaN of a tolerated metric that has failed."""
        if self.faults is None:
            return compute()
        if not self._has_failed:
            try:
                return compute()
            except Exception as error:
                named = isinstance(error, ContractError)
                if isinstance(error, OSError | HarnessError) and not named:  # the machine's, or the user's
                    raise
                self.faults[self.key] = str(error) if named else f"{self._named}: {type(error).__name__}: {error}"
        return np.full(0 if shape is None else shape, math.nan)


def _bounded(found: Array, bounds: tuple[float, float], origin: Origin) -> Array:
    low, high = bounds
    slack = 1e-6 * max(1.0, abs(low) if math.isfinite(low) else 0, abs(high) if math.isfinite(high) else 0)
    if (found < low - slack).any() or (found > high + slack).any():
        got = f"a value from {np.nanmin(found):.4g} to {np.nanmax(found):.4g}"
        raise ContractError(origin, got, f"a value in [{low:g}, {high:g}]", _LAW)
    return found


def _as_numbers(found: Any, shape: tuple[int, ...] | None, origin: Origin, infinite: bool) -> Array:
    """Return numbers as float64, "n" for no shape; NaN is undefined and may be."""
    try:
        array = np.asarray(found)
    except ValueError:  # a ragged list
        array = np.asarray(None)
    fits = array.ndim == 1 if shape is None else array.shape == shape
    if array.dtype.kind not in "fiub" or not fits or (np.isinf(array).any() and not infinite):
        expected = "a number per image" if shape is None else f"numbers of shape {shape}" if shape else "a number"
        raise ContractError(origin, shorten(repr(found), 80), f"{expected}, finite or NaN", _LAW)
    return array.astype(np.float64, copy=False)


def _protected(value: Any) -> Any:
    """Return the argument of a formula such that writing to it changes nothing that others read."""
    if isinstance(value, np.ndarray):
        return read_only(value)
    if hasattr(value, "iloc"):  # a table, which copies itself when it is written to; pandas is not imported for it
        return value.copy(deep=False)
    if isinstance(value, list):
        return [{level: dict(row) for level, row in image.items()} for image in value]
    return value
