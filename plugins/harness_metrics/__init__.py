"""Built-in metrics: each file holds formulas and their records. A record is found in its module; there is no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator

from harness import MetricRecord, hookimpl


@hookimpl
def harness_metrics() -> Iterable[MetricRecord]:
    """Yield the records of every module below this package, a record or a tuple of them by any name."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        yield from _records(vars(importlib.import_module(module.name)))


def _records(names: dict[str, object]) -> Iterator[MetricRecord]:
    for value in names.values():
        yield from (
            item for item in (value if isinstance(value, tuple) else (value,)) if isinstance(item, MetricRecord)
        )
