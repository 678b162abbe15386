"""How much a search finds: the best validation figure expected of n trials, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.contract.types import Objective
from harness.evidence.scores import Array

if TYPE_CHECKING:
    import pandas as pd


def expected_best(values: Array, mode: str = "max") -> tuple[Array, Array]:
    """Mean and standard deviation of the best of n trials drawn at random, for n = 1 … N.

    Exact for draws with replacement from the N values at hand: with v_1 <= … <= v_N,
    E_n = sum over i of v_i ((i / N)^n - ((i - 1) / N)^n). Beyond n = N nothing is known, and close to it the
    curve is a little low: the best value seen stands in for the best there is.

    Args:
        values: "n" validation figures of independent trials of one search, as random search gives.
        mode: "max" or "min", which way is better.

    Raises:
        ValueError: there is no value, one is not finite, or the mode is another.

    Source: Dodge, Gururangan, Card, Schwartz, Smith 2019, EMNLP, Show Your Work, equation 8.
    """
    values = np.asarray(values, dtype=np.float64)
    if mode not in ("max", "min"):
        raise ValueError(f"mode is 'max' or 'min', but got {mode!r}.")
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError("values are one finite figure a trial, at least one.")
    sign = 1 if mode == "max" else -1
    ordered, count = np.sort(sign * values), values.size
    reached = (np.arange(count + 1) / count)[None, :] ** np.arange(1, count + 1)[:, None]  # n, i: P(best <= v_i)
    chance = np.diff(reached, axis=1)
    mean = chance @ ordered
    spread = np.sqrt((chance * (ordered - mean[:, None]) ** 2).sum(1))
    return sign * mean, spread


def tuning_curves(trials: pd.DataFrame, *, order: Sequence[str], objective: Objective, sampler: str) -> pd.DataFrame:
    """What each variant's search had found after how many complete trials.

    Args:
        trials: the table of trials; only complete ones can win, so only they count.
        order: the variants' names.
        objective: says which way is up.
        sampler: who proposed the trials; `expected` and `spread` are given for "random" only, since no other
            sampler's trials are independent draws, and are NaN else.

    Returns:
        `variant`, `trials` (n = 1 …), `best`, the best of the first n as they were searched, `expected` and `spread`,
        of n drawn at random (`expected_best`).
    """
    import pandas as pd

    done = trials[(trials["stage"] == "search") & (trials["state"] == "complete")]
    best = np.maximum if objective.mode == "max" else np.minimum
    curves = []
    for variant in order:
        own = done[done["variant"] == variant].sort_values("number")
        values = own["value"].astype(float).dropna().to_numpy()
        if not values.size:
            continue
        unknown = np.full(values.size, np.nan)
        mean, spread = expected_best(values, objective.mode) if sampler == "random" else (unknown, unknown)
        curve = {"trials": np.arange(1, values.size + 1), "best": best.accumulate(values)}
        curves.append(pd.DataFrame({"variant": variant, **curve, "expected": mean, "spread": spread}))
    columns = ["variant", "trials", "best", "expected", "spread"]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=columns)
