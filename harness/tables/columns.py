"""The names of columns of tables that are not metrics; no metric may have one of them as its key."""

from __future__ import annotations

from collections.abc import Collection

from harness.contract.tables import OWN_HEAD, PREDICTIONS

FIXED = frozenset(
    {*PREDICTIONS, OWN_HEAD, "replicates", "map", "metric", "stratum", "value", "std", "n", "low", "high", "threshold"}
    | {"threshold_from", "tied", "tied_untested", "note"}
)
"""Columns that hold no metric, and the name of a model's own head."""
ENDS = (
    "std", "low", "high", "undefined", "difference", "difference_low", "difference_high", "error", "p", "p_holm",
    "p_bootstrap", "tied", "untested",
)  # fmt: skip
"""Columns derived from the metric `x` are `x_<end>`."""


def clash(key: str, others: Collection[str]) -> str:
    """Return what else a column named `key` is: "" for a free name."""
    if key in FIXED:
        return "a column of every table"
    bases = [key.removesuffix(f"_{end}") for end in ENDS if key.endswith(f"_{end}")]
    return next((f"a column that the tables derive from {base!r}" for base in bases if base in others), "")
