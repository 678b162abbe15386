"""Tuning curves: the expected best validation value of n trials, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.contract.types import Objective
from harness.statistics.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


def expected_best(values: Array, mode: str = "max") -> tuple[Array, Array]:
    """Compute mean and standard deviation of the best of n trials drawn at random, for n = 1 … N.

    Exact for draws with replacement from the N values: with v_1 <= … <= v_N,
    E_n = sum over i of v_i ((i / N)^n - ((i - 1) / N)^n). Beyond n = N nothing is known. Close to it the
    curve is slightly low, because the best observed value replaces the best possible one.

    Args:
        values: "n" validation values of independent trials of one search, such as random search.
        mode: "max" or "min", the better direction.

    Raises:
        ValueError: there is no value, one is not finite, or the mode is unknown.

    Source: Dodge, Gururangan, Card, Schwartz, Smith 2019, EMNLP, Show Your Work, equation 8.
    """
    values = np.asarray(values, dtype=np.float64)
    if mode not in ("max", "min"):
        raise ValueError(f"mode must be 'max' or 'min', but got {mode!r}.")
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError("values must be finite, one per trial and at least one.")
    sign = 1 if mode == "max" else -1
    ordered, count = np.sort(sign * values), values.size
    reached = (np.arange(count + 1) / count)[None, :] ** np.arange(1, count + 1)[:, None]  # n, i: P(best <= v_i)
    chance = np.diff(reached, axis=1)
    mean = chance @ ordered
    spread = np.sqrt((chance * (ordered - mean[:, None]) ** 2).sum(1))
    return sign * mean, spread


def tuning_curves(trials: pd.DataFrame, *, order: Sequence[str], objective: Objective, sampler: str) -> pd.DataFrame:
    """Compute the best value of each variant's search after each number of trials.

    Every trial that ended counts, since each used a place in the budget. `best` is over complete trials, as a pruned
    trial cannot win. Among random draws a pruned trial counts with its best value, at most that of the best complete
    trial. Without any complete trial its value is unchanged, because the best pruned trial is then run to its end.
    A failed trial counts with the worst value. Trial 0 is not a draw: it is the study's default and always first.
    The value of n trials is therefore the best of trial 0 and of n - 1 random draws.

    Returns:
        `variant`, `trials` (n = 1 …), `best` complete value of the first n trials (NaN before the first),
        `expected` and `spread` of n trials (`expected_best`).
    """
    import pandas as pd

    searched = trials[(trials["stage"] == "search") & trials["state"].isin(("complete", "pruned", "failed"))]
    sign = 1 if objective.mode == "max" else -1
    curves = []
    for variant in order:
        own = searched[searched["variant"] == variant].sort_values("number")
        values = sign * own["value"].astype(float).to_numpy()
        if np.isnan(values).all():
            continue
        complete = own["state"].to_numpy() == "complete"
        can_win = np.where(complete if complete.any() else ~np.isnan(values), values, -np.inf)
        best = np.maximum.accumulate(np.where(np.isnan(can_win), -np.inf, can_win))
        unknown = np.full(values.size, np.nan)
        drawn = np.minimum(np.where(np.isnan(values), np.nanmin(values), values), best[-1])
        found = _after_default(drawn, own["number"].to_numpy()) if sampler == "random" else (unknown, unknown)
        curve = {"trials": np.arange(1, values.size + 1), "best": sign * np.where(np.isinf(best), np.nan, best)}
        curves.append(pd.DataFrame({"variant": variant, **curve, "expected": sign * found[0], "spread": found[1]}))
    columns = ["variant", "trials", "best", "expected", "spread"]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)


def _after_default(values: Array, numbers: Array) -> tuple[Array, Array]:
    """Return mean and deviation of the best of n trials; the default, if it is among them, is the first.

    max(d, best of k draws) is the best of k draws from max(d, v).
    """
    default = values[numbers == 0]
    if not default.size:
        return expected_best(values)
    others = np.maximum(values[numbers != 0], default[0])
    mean, spread = expected_best(others) if others.size else (others, others)
    return np.concatenate([default, mean]), np.concatenate([[0.0], spread])
