"""Ensembles: averages with weights on the simplex, fitted on other patients than they are scored on. Pure.

A linear opinion pool, y = sum of w_m y_m with w_m >= 0 and sum w_m = 1; a reader mixed with a model,
y = lambda reader + (1 - lambda) model, is the pool of two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.statistics.arrays import Array, mean_defined

if TYPE_CHECKING:
    import pandas as pd

Target = Literal["auroc", "log_loss"]
"""Objective of the weights: the area under the ROC curve, or the log-likelihood of the labels."""
POINTS = 2000
"""Largest number of weight vectors; the grid is as fine as that allows, at most hundredths."""
_FINEST = 100
_KEYS = ["split", "id", "class", "head"]


@dataclass(frozen=True)
class Pool:
    """An average and its weights.

    Args:
        predictions: the members' rows with the averaged score.
        weights: "f m", one row of weights, or one per fold of cross-fitting.
        fitted_on: "" (given), "val", "test, cross-fitted" or "test" (an oracle).
    """

    predictions: pd.DataFrame
    weights: Array
    fitted_on: str = ""


def pool(members: Sequence[pd.DataFrame], weights: Sequence[float]) -> Pool:
    """Compute the weighted mean of members' scores, row by row.

    Args:
        members: predictions tables of one model each, over the same rows of test.
        weights: one per member, not negative, of sum 1.

    Raises:
        ValueError: rows differ, a score is outside [0, 1], or the weights are not on the simplex.
    """
    _check_weights(weights, len(members))
    rows, scores = aligned(members)
    return _averaged(rows, scores @ np.asarray(weights, float), np.array([weights], float))


def fit_pool(
    members: Sequence[pd.DataFrame], target: Target = "auroc", folds: int = 5, seed: int = 0, oracle: bool = False
) -> Pool:
    """Compute the weighted mean with the best weights, chosen on rows that they are not scored on.

    They are chosen on val if every member has rows of val, else by cross-fitting: patients of test are split
    into `folds`, and each fold is averaged with the weights that are best on the others. An oracle chooses
    them on the test rows themselves; its name must say so.

    Args:
        members: as for `pool`.
        target: objective, averaged over classes.
        folds: number of folds of the cross-fitting.
        seed: of the assignment of patients to folds.
        oracle: chooses on the test rows themselves.

    Raises:
        ValueError: rows of test or val differ; scores are outside [0, 1]; there are fewer patients than folds;
            or nothing can be fitted on the rows.
    """
    rows, scores = aligned(members)
    tested = (rows["split"] == "test").to_numpy()
    if oracle:
        weights = best_weights(rows[tested], scores[tested], target, "test")
        return _averaged(rows, scores @ weights, weights[None], "test")
    if not tested.all():
        weights = best_weights(rows[~tested], scores[~tested], target, "val")
        return _averaged(rows, scores @ weights, weights[None], "val")
    if all((member["split"] == "val").any() for member in members):
        raise ValueError(_other_val_rows(members))
    fold = folds_of(rows, folds, seed)
    found = np.stack(
        [
            best_weights(rows[fold != k], scores[fold != k], target, f"the other folds than {k + 1} of test")
            for k in range(folds)
        ]
    )
    return _averaged(rows, np.einsum("nm,nm->n", scores, found[fold]), found, "test, cross-fitted")


def _averaged(rows: pd.DataFrame, scores: Array, weights: Array, fitted_on: str = "") -> Pool:
    """Return a Pool with scores clipped to [0, 1]: rounding may raise a mean of ones above 1."""
    return Pool(rows.assign(score=np.clip(scores, 0, 1)), weights, fitted_on)


def aligned(members: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, Array]:
    """Return the rows that the members share and their scores "n m"; val only if all have the same rows of it.

    Raises:
        ValueError: the members' test rows differ, or a score is outside [0, 1].
    """
    tables = [table.set_index(_KEYS).sort_index() for table in members]
    first = tables[0]
    for split in ("test", "val"):
        parts = [table[table.index.get_level_values("split") == split].index for table in tables]
        if all(part.equals(parts[0]) for part in parts):
            continue
        if split == "test":
            raise ValueError("the members were tested on different rows; they cannot be averaged.")
        tables = [table[table.index.get_level_values("split") == "test"] for table in tables]
        first = tables[0]
    scores = np.stack([table["score"].to_numpy(np.float64) for table in tables], 1)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"averages need scores in [0, 1], but they reach from {scores.min():g} to {scores.max():g}.")
    return first.reset_index()[list(members[0].columns)], scores


def _other_val_rows(members: Sequence[pd.DataFrame]) -> str:
    keys = [set(member.loc[member["split"] == "val", "id"]) for member in members]
    differing = sorted(set.union(*keys) - set.intersection(*keys))
    which = f": {len(differing)} ids ({', '.join(differing[:3])}{', …' if differing[3:] else ''})" if differing else ""
    return (
        f"weights are fitted on val, but the members have different rows there{which}; use the same rows, or leave "
        "val out of one member to fit by cross-fitting on test."
    )


def best_weights(rows: pd.DataFrame, scores: Array, target: Target = "auroc", where: str = "these rows") -> Array:
    """Return the point of a grid over the simplex with the highest mean over classes of the target: "m".

    Among equally good points, the one nearest to equal weights: an AUC has plateaus.

    Args:
        rows: predictions rows of one model; `class` and `label` are read.
        scores: "n m" of the members.
        target: the objective.
        where: name of the rows, for the message.

    Raises:
        ValueError: no class has both labels among the rows ("auroc"), or any label ("log_loss").
    """
    grid = simplex_grid(scores.shape[1])
    of = _aucs if target == "auroc" else _likelihoods
    values = []
    for name in dict.fromkeys(rows["class"]):
        own = (rows["class"] == name).to_numpy() & rows["label"].notna().to_numpy()
        values.append(of(rows.loc[own, "label"].to_numpy(np.float64), scores[own] @ grid.T))
    mean = np.array([mean_defined(column) for column in np.array(values).T])
    if np.isnan(mean).all():
        needed = "both labels" if target == "auroc" else "a known label"
        raise ValueError(f"weights cannot be fitted on {where}: no class has {needed} there; state them instead.")
    best = np.flatnonzero(mean >= np.nanmax(mean) - 1e-12)
    centre = np.square(grid[best] - 1 / scores.shape[1]).sum(1)
    chosen: Array = grid[best[int(centre.argmin())]]
    return chosen


def simplex_grid(members: int, points: int = POINTS) -> Array:
    """Return weights "g m" that are multiples of 1 / steps and sum to 1, with the most steps that `points` allow.

    Two members have 101 points, .00, .01, …, 1; three 1,953 at steps of 1/61.
    """
    steps = next(s for s in range(_FINEST, 0, -1) if s == 1 or math.comb(s + members - 1, members - 1) <= points)
    bars = np.array(list(combinations(range(steps + members - 1), members - 1)), dtype=np.intp)
    bars = bars.reshape(-1, members - 1)
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), steps + members - 1)])
    grid: Array = (np.diff(edges, axis=1) - 1) / steps
    return grid


def folds_of(rows: pd.DataFrame, folds: int, seed: int = 0) -> Array:
    """Return the fold of each row: whole patients, assigned in turn, stratified by positive label.

    Raises:
        ValueError: fewer patients than folds.
    """
    positive = rows.assign(label=rows["label"] == 1).groupby("group", sort=True)["label"].any()
    if len(positive) < folds:
        raise ValueError(f"cross-fitting needs a group in each of {folds} folds, but there are {len(positive)} groups.")
    rng, order = np.random.default_rng(seed), list[str]()
    for which in (True, False):
        names = positive.index[positive.to_numpy() == which].to_numpy(dtype=object)
        order += rng.permutation(names).tolist()
    place = {group: number % folds for number, group in enumerate(order)}
    return np.array([place[group] for group in rows["group"]], dtype=np.intp)


def by_unit(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per unit instead of per image: a breast's score is the mean of its views.

    A unit is positive if one of its images is, and negative if all of them are known to be. The unit
    becomes the row's id.
    """
    keys = [name for name in predictions if name not in ("id", "label", "score", "unit")]
    rows = predictions.groupby([*keys, "unit"], dropna=False, sort=False)
    found = rows.agg(score=("score", "mean"), label=("label", _unit_label)).reset_index()
    found["id"] = found["unit"]
    return found[list(predictions.columns)]


def _unit_label(labels: pd.Series[Any]) -> float:
    if (labels == 1).any():
        return 1.0
    return math.nan if labels.isna().any() else 0.0


def _aucs(labels: Array, scores: Array) -> Array:
    """Return the AUC of each column of scores "n g": "g"; NaN with one label only."""
    from scipy.stats import rankdata

    positive = labels == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return np.full(scores.shape[1], math.nan)
    # Equal weighted sums may differ in the last digits: ties are found after rounding.
    ranks = rankdata(np.round(scores, 12), axis=0)
    found: Array = (ranks[positive].sum(0) - ones * (ones + 1) / 2) / (ones * zeros)
    return found


def _likelihoods(labels: Array, scores: Array) -> Array:
    """Return the mean log-likelihood of the labels under each column: "g"; scores are clipped to 1e-6 from 0 and 1."""
    if not labels.size:
        return np.full(scores.shape[1], math.nan)
    kept = np.clip(scores, 1e-6, 1 - 1e-6)
    found: Array = np.where(labels[:, None] == 1, np.log(kept), np.log1p(-kept)).mean(0)
    return found


def _check_weights(weights: Sequence[float], members: int) -> None:
    if len(weights) != members:
        raise ValueError(f"{members} members need {members} weights, but got {len(weights)}.")
    if any(weight < 0 for weight in weights) or abs(sum(weights) - 1) > 1e-9:
        raise ValueError(f"weights must not be negative and must sum to 1, but got {list(weights)}.")
