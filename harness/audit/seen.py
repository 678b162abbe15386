"""Images that a model has been trained on: a score of theirs says nothing about new images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy.typing as npt

from harness.audit.duplicates import find_pairs, fingerprints
from harness.trial.data.decode import mapped

MOST_SHOWN = 3


def seen_in_training(folder: Path, ids: Sequence[str], images: Iterable[npt.NDArray[Any]]) -> str:
    """Return a sentence that names the images which equal or resemble a training image; "" if none does.

    Args:
        folder: of the cached data set that the model was trained on; "" is returned if it holds no single images.
        ids: of the new images.
        images: the new images, decoded as those in the cache.
    """
    path = folder / "train" / "images.npy"
    if not path.exists():
        return ""
    trained = mapped(path)
    pairs = find_pairs(fingerprints(chain(trained, images)))
    crossing = (pairs.first < len(trained)) & (pairs.second >= len(trained))
    exact = {ids[n - len(trained)]: None for n in pairs.second[crossing & pairs.exact]}
    near = {ids[n - len(trained)]: None for n in pairs.second[crossing & ~pairs.exact]}
    parts = [_named(list(exact), len(ids), "were in training")]
    parts.append(
        _named([name for name in near if name not in exact], len(ids), "are near duplicates of training images")
    )
    return "; ".join(filter(None, parts))


def _named(found: Sequence[str], count: int, what: str) -> str:
    more = ", …" if len(found) > MOST_SHOWN else ""
    return f"{len(found)} of {count} images {what}: {', '.join(found[:MOST_SHOWN])}{more}" if found else ""
