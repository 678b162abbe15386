"""Sensitivity and specificity at a threshold that reaches a level of one of them on the validation split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, Scores

LEVELS = (0.9, 0.95)
"""The levels that every table has."""
_DECISIONS = {"sensitivity": "recall", "specificity": "specificity"}


def at_specificity(terms: Scores, /, *, level: float) -> float:
    """Return the lowest threshold whose specificity is at least `level`."""
    from harness.metrics.functional import threshold_at_specificity

    return threshold_at_specificity(terms.labels, terms.scores, level)


def at_sensitivity(terms: Scores, /, *, level: float) -> float:
    """Return the highest threshold whose sensitivity is at least `level`."""
    from harness.metrics.functional import threshold_at_sensitivity

    return threshold_at_sensitivity(terms.labels, terms.scores, level)


def check_level(*, level: float) -> Mapping[str, Any]:
    """Refuse a level that no threshold can have.

    Raises:
        ValueError: `level` is outside (0, 1].
    """
    if not 0 < level <= 1:
        raise ValueError(f"`0 < level <= 1` must hold, but got {level=}.")
    return {}


def _at(name: str) -> Callable[..., Array | float]:
    def decided(terms: Scores, weights: Array | None, threshold: float, /, *, level: float = 0.9) -> Array | float:
        """Return the share of right decisions at the threshold.

        Args:
            terms: labels and scores of a class.
            weights: "r n", the count of each row in each resample; None to count each once.
            threshold: fitted on val.
            level: the sensitivity or specificity that the threshold reaches on val, in (0, 1].
        """
        from harness.metrics.functional import decision

        return decision(terms.labels, terms.scores >= threshold, weights, name)

    return decided


def _records() -> Iterator[MetricRecord]:
    for number, (fitted, fit) in enumerate((("specificity", at_specificity), ("sensitivity", at_sensitivity))):
        for other, (name, decided) in enumerate(_DECISIONS.items()):
            own = f"{name}_at_{fitted}"
            reached = f"{name} reached there" if name == fitted else ""
            yield MetricRecord(
                name=own,
                label=reached or f"{name} at a {fitted}",
                summary=f"{name} at the threshold that reaches a {fitted} (`level`) on val",
                build=_at(decided),
                fit=fit,
                facts=check_level,
                reads="scores",
                form="statistic",
                order=80 + 2 * number + other,
                standing=tuple(
                    Standing(
                        level="report" if level == LEVELS[0] else "tables",
                        name=f"{own}_{100 * level:g}",
                        label=reached or f"{name} at {100 * level:g} % {fitted}",
                        params={"level": level},
                    )
                    for level in LEVELS
                ),
            )


RECORDS = tuple(_records())
