"""What a variant's run says of its confirmations: means over seeds, and paired differences. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any

Confirmed = Mapping[Any, Mapping[str, float]]
"""Seed (and fold) -> metrics of the confirmed model."""


def means(confirmed: Confirmed) -> dict[str, float]:
    """`test/x` and, from two seeds on, `test/x_std`, of every test metric; `confirmed` counts them."""
    found: dict[str, float] = {"confirmed": float(len(confirmed))}
    for name in _test_names(confirmed.values()):
        found |= _spread(name, [metrics.get(name, math.nan) for metrics in confirmed.values()])
    return found


def paired(variant: Confirmed, baseline: Confirmed) -> dict[str, float]:
    """`difference/test/x` to the baseline at the same seeds, with its spread over them."""
    seeds = [repeat for repeat in variant if repeat in baseline]
    found: dict[str, float] = {}
    for name in _test_names(variant[seed] for seed in seeds):
        gaps = [variant[seed].get(name, math.nan) - baseline[seed].get(name, math.nan) for seed in seeds]
        found |= _spread(f"difference/{name}", gaps)
    return found


def _spread(name: str, values: Iterable[float]) -> dict[str, float]:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return {}
    found = {name: statistics.fmean(known)}
    if len(known) > 1:
        found[f"{name}_std"] = statistics.stdev(known)
    return found


def _test_names(tables: Iterable[Mapping[str, float]]) -> list[str]:
    return sorted({name for table in tables for name in table if name.startswith("test/")})
