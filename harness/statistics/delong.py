"""DeLong's test: areas under correlated ROC curves with their covariance, images of one patient kept together.

The area under the ROC curve is a mean over pairs of a positive and a negative image. Each image's
share of it (its placement) is summed by patient. The spread of these sums over patients is the variance,
and their products between two methods the covariance. No distribution of the scores is assumed.

Sources: DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44, 837-845; in the mid-rank form of Sun and Xu
2014, IEEE Signal Processing Letters 21, 1389-1393; clustered after Obuchowski 1997, Biometrics 53, 567-578.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.arrays import Array

_NOTHING = 1e-12
"""Share of a variance, or difference of two areas, below which it is rounding error."""


class NotTestable(ValueError):
    """Valid data that do not permit this test: a class is absent, or there are too few patients."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of areas, such as a difference, under the normal approximation.

    Args:
        value: the sum.
        error: its standard error over patients, for fixed models.
        low: lower bound of its interval; NaN, as `high`, if the error is 0 and the value is not.
        high: upper bound.
        p: two-sided, against a true value of 0; 1 if value and error are both 0, NaN if only the error is 0:
            it cannot be estimated from two classifiers without a misplaced patient.
    """

    value: float
    error: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Aucs:
    """Areas under ROC curves and their covariance over patients.

    Args:
        values: "s", in [0, 1].
        covariance: "s s", positive semi-definite.
    """

    values: Array
    covariance: Array

    def difference(self, first: int, second: int, level: float = 0.95) -> Contrast:
        """Return the area of row `first` minus that of row `second`."""
        weights = np.zeros(len(self.values))
        weights[first] += 1
        weights[second] -= 1
        return self.contrast(weights, level)

    def contrast(self, weights: Array, level: float = 0.95) -> Contrast:
        """Return the sum of the areas times `weights` "s"."""
        from scipy.stats import norm

        weights = np.asarray(weights, dtype=np.float64)
        value, variance = float(weights @ self.values), float(weights @ self.covariance @ weights)
        if variance <= _NOTHING * float(abs(weights) @ abs(self.covariance) @ abs(weights)):
            known = abs(value) < _NOTHING
            return Contrast(value, 0.0, *((value, value, 1.0) if known else (math.nan, math.nan, math.nan)))
        error = math.sqrt(variance)
        reach = float(norm.ppf((1 + level) / 2)) * error
        return Contrast(value, error, value - reach, value + reach, float(2 * norm.sf(abs(value) / error)))

    def area(self, weights: Array, level: float = 0.95) -> Contrast:
        """Return an area or a mean of areas, by `weights` "s" >= 0 of sum 1: its interval lies in (0, 1), p is NaN.

        The interval is normal for log(a / (1 - a)), whose error is that of a over a (1 - a), and transformed back. An
        interval for a itself leaves [0, 1] near 1. If the error is 0 (constant scores, no misplaced patient), the
        bounds are NaN.

        Source: Pepe 2003, The Statistical Evaluation of Medical Tests, chapter 5; Qin and Hotilovac 2008,
        Statistical Methods in Medical Research 17, 207-221.
        """
        from scipy.special import expit, logit
        from scipy.stats import norm

        found = self.contrast(weights, level)
        spread = found.value * (1 - found.value)
        if found.error == 0 or spread <= 0:
            return Contrast(found.value, found.error, math.nan, math.nan, math.nan)
        reach = float(norm.ppf((1 + level) / 2)) * found.error / spread
        middle = float(logit(found.value))
        return Contrast(found.value, found.error, float(expit(middle - reach)), float(expit(middle + reach)), math.nan)


def delong(labels: Array, scores: Array, groups: Sequence[Hashable] | Array | None = None) -> Aucs:
    """Compute the areas under the ROC curves of several rows of scores for the same images, with their covariance.

    The variance is `S10/m + S01/n + (S11 + S11')/(m n)` of Obuchowski 1997. If each image is its own group, it is
    DeLong's `S10/m + S01/n`. Rows may have different labels (classes, folds). Between such rows the covariance is
    the sum over patients of the products of their total shares, times g / (g - 1).

    Args:
        labels: "n", or "s n" if rows differ: 1, 0 and NaN; unknown labels do not count.
        scores: "s n", or "n" for one row; finite if the label is known; only their order counts.
        groups: "n", each image's patient; None if each image is a patient.

    Raises:
        NotTestable: in a row, fewer than two groups hold a positive, or a negative.
        ValueError: the shapes differ, a label is not 0, 1 or NaN, or a score is not finite.
    """
    scores = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    labels = np.asarray(labels, dtype=np.float64)
    _check(labels, scores)
    labels = np.broadcast_to(labels, scores.shape)
    count = scores.shape[1]
    if groups is not None and len(groups) != count:
        raise ValueError(f"groups must have one entry per image, but there are {len(groups)} for {count} images.")
    member = np.arange(count) if groups is None else np.unique(np.asarray(groups, dtype=str), return_inverse=True)[1]
    for row, own in enumerate(labels):
        if reason := lacking(own, member):
            raise NotTestable(f"row {row}: {reason}")
    shares = [_shares(own, values, member) for own, values in zip(labels, scores, strict=True)]
    positive, negative = (np.stack([share[part] for share in shares]) for part in (1, 2))
    covariance = _covariance(positive, negative, labels, member)
    return Aucs(np.array([share[0] for share in shares]), covariance)


def lacking(labels: Array, groups: Sequence[Hashable] | Array) -> str:
    """Return why the variance of one row's area cannot be estimated; "" if it can.

    Args:
        labels: "n" of 1, 0 and NaN.
        groups: "n", each image's patient.
    """
    labels, groups = np.asarray(labels, dtype=np.float64), np.asarray(groups)
    for label, name in ((1, "positive"), (0, "negative")):
        found = len(set(groups[labels == label].tolist()))
        if found < 2:
            have = "no patient has" if found == 0 else "only one patient has"
            return f"{have} a {name} image; two are needed."
    return ""


def _check(labels: Array, scores: Array) -> None:
    if scores.ndim != 2 or labels.shape not in (scores.shape, scores.shape[1:]):
        raise ValueError(f"labels must be (images) or (rows, images) as scores; got {labels.shape} and {scores.shape}.")
    if not np.isin(labels[~np.isnan(labels)], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or NaN.")
    if not np.isfinite(scores[~np.isnan(np.broadcast_to(labels, scores.shape))]).all():
        raise ValueError("scores must be finite where the label is known.")


def _shares(labels: Array, scores: Array, member: Array) -> tuple[float, Array, Array]:
    """Return the area, and the sums by group of the centred placements of positives / m and of negatives / n."""
    from scipy.stats import rankdata

    positive, negative = labels == 1, labels == 0
    m, n, size = int(positive.sum()), int(negative.sum()), int(member.max()) + 1
    together = rankdata(np.concatenate([scores[positive], scores[negative]]))
    of_positive = (together[:m] - rankdata(scores[positive])) / n  # share of negatives below, ties halved
    of_negative = 1 - (together[m:] - rankdata(scores[negative])) / m
    area = float(of_positive.mean())
    sums = [
        np.bincount(member[own], weights=placements - area, minlength=size) / len(placements)
        for own, placements in ((positive, of_positive), (negative, of_negative))
    ]
    return area, sums[0], sums[1]


def _covariance(positive: Array, negative: Array, labels: Array, member: Array) -> Array:
    """Return the covariance "s s" from the shares "s g" of positives and negatives."""
    size = positive.shape[1]
    with_positive, with_negative, with_any = (
        np.stack([np.bincount(member[own], minlength=size) > 0 for own in chosen]).sum(1)
        for chosen in (labels == 1, labels == 0, ~np.isnan(labels))
    )
    same = np.unique(np.where(np.isnan(labels), -1, labels), axis=0, return_inverse=True)[1].reshape(-1)
    same = same[:, None] == same[None, :]
    overall = np.unique(member[~np.isnan(labels).all(0)]).size

    def factor(groups: Array) -> Array:
        return np.where(same, (groups / (groups - 1))[:, None], overall / (overall - 1))

    across = positive @ negative.T
    covariance: Array = (
        factor(with_positive) * (positive @ positive.T)
        + factor(with_negative) * (negative @ negative.T)
        + factor(with_any) * (across + across.T)
    )
    return covariance
