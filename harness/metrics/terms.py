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
    """All classes of a task with exactly one class per image.

    Args:
        labels: "n k", one 1 per row.
        scores: "n k", finite.
        place: index of the class; None for all classes together.
    """

    labels: Array
    scores: Array
    place: int | None
