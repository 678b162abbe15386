"""The laws of each kind of component, by the modules that hold them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache

from harness.testing.laws.law import Law
from harness.testing.laws.subject import Subject

_MODULES: Mapping[str, tuple[str, ...]] = {
    "backbone": ("backbone",),
    "pooling": ("pooling",),
    "architecture": (
        "models.outputs",
        "models.invariance",
        "models.classes",
        "models.training",
        "models.instances",
        "models.views",
        "models.trials",
    ),
    "explainer": ("explainers.laws",),
    "metric": ("metrics.laws",),
    "dataset": ("dataset",),
    "optimiser": ("optimiser",),
    "schedule": ("schedule",),
}
"""Kind -> the modules of its laws, each with a list `LAWS`."""
_HERE = __name__.rpartition(".")[0]


@cache
def laws_of_kind(kind: str) -> tuple[Law, ...]:
    """Return every law of a kind, in the order in which they are tried."""
    modules = [importlib.import_module(f"{_HERE}.{name}") for name in (*_MODULES.get(kind, ()), "declared")]
    return tuple(law for module in modules for law in module.LAWS)


def laws_of(subject: Subject) -> list[Law]:
    """Return the laws that hold for a component."""
    return [law for law in laws_of_kind(subject.kind) if law.applies(subject)]
