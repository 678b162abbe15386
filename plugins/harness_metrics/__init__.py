"""Built-in metrics: each file holds formulas and their records. A record is found in its module; there is no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from harness import MetricRecord, hookimpl


@hookimpl
def harness_metrics() -> Iterable[MetricRecord]:
    """Yield the records of every module below this package, a record or a tuple of them by any name."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            found = value if isinstance(value, tuple) else (value,)
            yield from (item for item in found if isinstance(item, MetricRecord))
