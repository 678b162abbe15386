"""The terms that formulas of scores read."""

from __future__ import annotations

from dataclasses import dataclass

from harness.statistics.arrays import Array, read_only


@dataclass(frozen=True)
class Scores:
    """One class against the rest.

    Args:
        labels: "n" of 1 and 0; images whose label is not known are left out.
        scores: "n", finite.
    """

    labels: Array
    scores: Array

    def __post_init__(self) -> None:
        """Set the arrays to read-only."""
        _protect(self, "labels", "scores")


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

    def __post_init__(self) -> None:
        """Set the arrays to read-only."""
        _protect(self, "labels", "scores")


def _protect(terms: object, *names: str) -> None:
    for name in names:
        object.__setattr__(terms, name, read_only(getattr(terms, name)))
