"""Values of a variant's run from its confirmations: means over seeds, and paired differences. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

Confirmed = Mapping[Any, Mapping[str, float]]
"""Seed (and fold) -> metrics of the confirmed model."""


def means(confirmed: Confirmed, metrics: Sequence[str]) -> dict[str, float]:
    """Return `test/…` of every test metric and, from two seeds on, `test/…_std` of metrics that are no class's.

    `metrics` are the names of the study's metrics. Metrics of the models' own output come first, since MLflow's
    comparison begins with them. `confirmed` counts the models.
    """
    found: dict[str, float] = {}
    own = [f"test/{metric}" for metric in metrics]
    names = _test_names(confirmed.values())
    for name in [name for name in own if name in names] + [name for name in names if name not in own]:
        spread = _spread(name, [values.get(name, math.nan) for values in confirmed.values()])
        found |= spread if name.rpartition("/")[2] in metrics else {name: spread[name]} if spread else {}
    return {**found, "confirmed": float(len(confirmed))}


def paired(variant: Confirmed, baseline: Confirmed, metrics: Collection[str]) -> dict[str, float]:
    """Return `difference/test/x` of the own output to the baseline's at the same seeds, with its spread.

    If either has no seeds, or has readers instead, the value is the difference of the means.
    """
    if variant and baseline and _axis(variant) != _axis(baseline):
        one, other = means(variant, [*metrics]), means(baseline, [*metrics])
        names = [f"test/{metric}" for metric in metrics]
        return {f"difference/{name}": one[name] - other[name] for name in names if name in one and name in other}
    seeds = [seed for seed in variant if seed in baseline]
    found: dict[str, float] = {}
    for name in (f"test/{metric}" for metric in metrics):
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


def _axis(confirmed: Confirmed) -> type:
    """Return what the models of a variant differ in: seeds are numbers, readers are names."""
    return type(next(iter(confirmed))[0])


def _test_names(tables: Iterable[Mapping[str, float]]) -> list[str]:
    return sorted({name for table in tables for name in table if name.startswith("test/")})
