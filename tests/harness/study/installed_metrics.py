"""The tiny components with the built-in metrics, for tests of tables that show every metric."""

from __future__ import annotations

from collections.abc import Iterable

import harness_metrics
from harness import MetricRecord, hookimpl
from harness.contract.loading.catalog import Catalog
from harness.testing.fakes import tiny_catalog


class _Others:
    """The built-in metrics that the tiny catalog lacks."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = set(known)

    @hookimpl
    def harness_metrics(self) -> list[MetricRecord]:
        return [record for record in harness_metrics.harness_metrics() if record.name not in self._known]


def catalog_with_metrics() -> Catalog:
    """Return the tiny catalog with every built-in metric."""
    catalog = tiny_catalog()
    catalog.register(_Others(catalog.names("metric")))
    assert not catalog.broken, catalog.broken
    return catalog
