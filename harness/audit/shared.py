"""Instances that are in two splits, such as one digit in a bag of train and one of test. Free of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from harness.audit.verdicts import MOST_ROWS, Finding
from harness.trial.data.cache import CachedSplit

SCOPE_NOTE = (
    "instances are compared exactly and only across splits: bags of one split may share some, whatever their labels, "
    "and small images of one kind are similar"
)


def shared_instances(parts: Sequence[CachedSplit]) -> Iterator[Finding]:
    """Yield a leak if an instance is in two splits, val and tune_loc counted as one, and a note on the scope.

    Instances of a single value (an empty tile, a vector of zeros) do not count.

    Args:
        parts: splits of bags, views or feature tables.
    """
    homes: dict[bytes, dict[str, str]] = {}
    for part in parts:
        assert part.bags is not None
        for owner, instance in zip(part.bags.owners, part.images, strict=True):
            if (instance != instance.flat[0]).any():
                key = hashlib.sha256(np.ascontiguousarray(instance).tobytes()).digest()
                home = "val" if part.name == "tune_loc" else part.name
                homes.setdefault(key, {}).setdefault(home, f"{part.name}: {part.samples[owner].id}")
    shared = [tuple(places.values()) for places in homes.values() if len(places) > 1]
    if shared:
        message = f"{len(shared)} instances in two splits, such as in {' and '.join(shared[0])}"
        rows = tuple(shared[:MOST_ROWS])
        yield Finding(level="error", verdict="leak", number=len(shared), message=message, rows=rows)
    else:
        message = f"no instance in two splits among {len(homes)} different ones"
        yield Finding(level="info", number=0, message=message)
    yield Finding(level="info", message=SCOPE_NOTE)
