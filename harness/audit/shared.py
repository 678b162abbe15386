"""Instances that are in two splits: the same digit in a bag of train and one of test, say. Free of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from harness.audit.verdicts import MOST_ROWS, Finding
from harness.trial.data.cache import CachedSplit

TOLD = (
    "instances are compared exactly and across splits only: bags of one split may share some, whatever their labels, "
    "and small pictures of one kind are alike"
)


def shared_instances(parts: Sequence[CachedSplit]) -> Iterator[Finding]:
    """A leak where an instance stands in two splits, val and tune_loc counted as one; then what was not asked.

    An instance of a single value (an empty tile, a vector of zeros) is nobody's.

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
    yield Finding(level="info", message=TOLD)
