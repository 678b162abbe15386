"""FROC: the share of lesions found against false positives per image, from the tables of lesions and candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.statistics.arrays import Array, ratio, read_only
from harness.statistics.bootstrap import Statistic

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Froc:
    """Lesions and false alarms of one class in one model's maps.

    Args:
        images: ids of all images whose mask is known, with and without lesions.
        found: "l", the score of each lesion's best candidate; -inf if none lies in it.
        found_in: "l", index in `images`.
        false: "f", scores of the candidates outside every lesion.
        false_in: "f", index in `images`.
    """

    images: tuple[str, ...]
    found: Array
    found_in: Array
    false: Array
    false_in: Array

    def __post_init__(self) -> None:
        """Set the arrays to read-only."""
        for name in ("found", "found_in", "false", "false_in"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @classmethod
    def of(cls, images: Sequence[str], lesions: pd.DataFrame, candidates: pd.DataFrame) -> Froc:
        """Build from the rows of one class and one map of one model.

        Several candidates in one lesion count once, with the highest score, and are no false positives.

        Args:
            images: ids of all images whose mask is known.
            lesions: the relevant rows of the lesions table; candidates in other lesions are left out.
            candidates: rows of the candidates table.
        """
        place = {key: index for index, key in enumerate(images)}
        inside = candidates[candidates["lesion"].notna()]
        outside = candidates[candidates["lesion"].isna() & candidates["id"].isin(place)]
        best = inside.groupby(["id", "lesion"])["score"].max().to_dict()
        keys = list(zip(lesions["id"], lesions["lesion"], strict=True))
        return cls(
            tuple(images),
            np.array([best.get(key, -math.inf) for key in keys], dtype=np.float64),
            np.array([place[key] for key, _ in keys], dtype=np.intp),
            outside["score"].to_numpy(np.float64),
            np.array([place[key] for key in outside["id"]], dtype=np.intp),
        )

    def only(self, lesions: Array) -> Froc:
        """Select lesions, "l" booleans; candidates in the others are no false positives."""
        return replace(self, found=self.found[lesions], found_in=self.found_in[lesions])

    def at(self, threshold: float) -> tuple[float, float]:
        """Return sensitivity and false positives per image at or above a threshold; NaN without lesions or images."""
        sensitivity = float((self.found >= threshold).mean()) if self.found.size else math.nan
        rate = float((self.false >= threshold).sum() / len(self.images)) if self.images else math.nan
        return sensitivity, rate

    def weighted_at(self, threshold: float, weights: Array) -> tuple[Array, Array]:
        """Return the same in each resample; `weights` "r n" say how often each of `images` counts."""
        hit, alarm = self.found >= threshold, self.false >= threshold
        of_lesions, images = weights[:, self.found_in], weights.sum(1)
        return ratio(of_lesions @ hit, of_lesions.sum(1)), ratio(weights[:, self.false_in] @ alarm, images)

    def threshold(self, rate: float) -> float:
        """Return the lowest candidate's score with at most `rate` false positives per image; inf if there is none."""
        scores = np.concatenate([self.found[np.isfinite(self.found)], self.false])
        allowed = math.floor(rate * len(self.images) + 1e-9)
        alarms = np.sort(self.false)[::-1]
        below = alarms[allowed] if alarms.size > allowed else -math.inf
        return float(min(scores[scores > below], default=math.inf))

    def sensitivity(self, rate: float) -> Statistic:
        """Return the highest sensitivity with at most `rate` false positives per image, without interpolation.

        The result is a function of weights "r n": how often each of `images` counts. Resample patients for intervals.
        """
        found = self.sensitivities([rate])
        return lambda weights: found(weights)[0]

    def sensitivities(self, rates: Sequence[float]) -> Statistic:
        """Return `sensitivity` at each of several rates as one function of weights "r n": "f r"."""
        called = np.isfinite(self.found)  # a lesion without a candidate is never found
        events = np.concatenate([self.found[called], self.false])
        order = np.argsort(-events, kind="stable")
        is_found = (np.arange(events.size) < called.sum())[order]
        owner = np.concatenate([self.found_in[called], self.false_in]).astype(np.intp)[order]
        last = np.append(np.diff(events[order]) != 0, True)[: events.size]  # equal scores share one threshold

        def of(weights: Array) -> Array:
            counted = weights[:, owner]
            hits = (counted * is_found).cumsum(1)[:, last]
            alarms = (counted * ~is_found).cumsum(1)[:, last]
            images, total = weights.sum(1, keepdims=True), weights[:, self.found_in].sum(1)
            best = [np.where(alarms <= rate * images + 1e-9, hits, 0).max(1, initial=0) for rate in rates]
            return np.stack([ratio(own, total) for own in best])

        return of
