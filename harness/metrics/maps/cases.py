"""The images of a gallery: hits, misses and false alarms, chosen by the score alone, never by the map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.statistics.arrays import Array

KINDS = ("hit", "miss", "false alarm")
COUNT = 3
"""Number of images of each kind and class."""


def choose_cases(
    ids: Sequence[str], labels: Array, scores: Array, shown: Array | None = None, count: int = COUNT
) -> dict[str, list[int]]:
    """Choose the images of one class with extreme scores under one model.

    Hits are the highest-scored positives, misses the lowest-scored positives, false alarms the highest-scored
    negatives. Equal scores are ordered by id. With fewer than 2 `count` positives, the upper half are hits and the
    lower half misses, the middle one a hit: no image is both.

    The cases of a set are among the cases of its parts. So they can be collected while a model is tested batch by
    batch.

    Args:
        ids: n names.
        labels: "n" of 1, 0 and NaN; unknown ones are never chosen.
        scores: "n".
        shown: "n", whether a positive's lesion is known; None if all count.
        count: maximum number of each kind.

    Returns:
        Each of KINDS -> indices, the most extreme first.
    """
    labels, scores = np.asarray(labels, np.float64), np.asarray(scores, np.float64)
    rising = sorted(range(len(ids)), key=lambda place: (scores[place], ids[place]))
    known = labels == 1 if shown is None else (labels == 1) & np.asarray(shown, bool)
    positive = [place for place in rising if known[place]]
    negative = [place for place in rising if labels[place] == 0]
    hits, misses = min(count, -(-len(positive) // 2)), min(count, len(positive) // 2)
    return {
        "hit": positive[::-1][:hits],
        "miss": positive[:misses],
        "false alarm": negative[::-1][:count],
    }
