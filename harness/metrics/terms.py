"""The terms that formulas of scores read."""

from __future__ import annotations

from dataclasses import dataclass

from harness.statistics.arrays import Array


@dataclass(frozen=True)
class Scores:
    """One class against the rest.

    Args:
        labels: "n" of 1 and 0; images whose label is not known are left out.
        scores: "n", finite.
    """

    labels: Array
    scores: Array


@dataclass(frozen=True)
class Winners:
    """All classes of a task in which exactly one holds.

    Args:
        labels: "n k", one 1 a row.
        scores: "n k", finite.
        place: the class in question; None for all together.
    """

    labels: Array
    scores: Array
    place: int | None
