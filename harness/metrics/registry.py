"""The metrics of a study: those that it names, and those that stand in tables without being named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.catalog import Catalog
from harness.contract.keys import RANKED
from harness.contract.masks import KINDS_OF_TASK, offers
from harness.contract.metrics import LEVELS, Level, MetricRecord
from harness.contract.types import Task
from harness.metrics.metric import Metric


@dataclass(frozen=True)
class Metrics:
    """Metrics in the order of their columns.

    Args:
        named: by the study, in its order.
        standing: without being named, in the order of their records.
    """

    named: tuple[Metric, ...] = ()
    standing: tuple[Metric, ...] = ()

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        task: Task,
        keys: Iterable[str] = (),
        tables: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Metrics:
        """Return the metrics of a study that were found installed.

        Args:
            catalog: what is installed.
            task: what is to be learned; a standing metric that it does not allow is left out.
            keys: of the metrics that the study names.
            tables: key -> the table that the study writes, of those that are no component's bare name.
        """
        standing = tuple(metric for metric in _standing(catalog) if fits(metric.record, task))
        known = {metric.key: metric for metric in standing}
        found = (named(catalog, key, (tables or {}).get(key), known) for key in keys)
        return cls(tuple(metric for metric in found if metric is not None), standing)

    def at(self, level: Level, reads: Collection[str] = (), extra: bool = True) -> list[Metric]:
        """Return the metrics that are shown at a level, the standing ones first.

        Args:
            level: where.
            reads: what they read; nothing stands for everything.
            extra: whether those that only the study names are wanted too.
        """
        shown = LEVELS[: LEVELS.index(level) + 1]
        found = {metric.key: metric for metric in self.standing if metric.level in shown}
        found |= {metric.key: metric for metric in self.named if extra and metric.key not in found}
        return [metric for metric in found.values() if not reads or metric.record.reads in reads]

    @property
    def leaderboard(self) -> list[Metric]:
        """What the leaderboard shows beside the metric that variants are ranked by."""
        return [metric for metric in self.at("leaderboard") if metric.key != RANKED]

    def get(self, key: str) -> Metric | None:
        """Return the metric of this key, or None."""
        return next((metric for metric in (*self.named, *self.standing) if metric.key == key), None)

    def title(self, key: str) -> str:
        """Return the head of a column; the key itself where nothing of that name is installed."""
        metric = self.get(key)
        return metric.title if metric else key

    def facts(self) -> list[Any]:
        """Return what tables depend on: each metric's key, distribution, version and parameters."""
        return [[item.key, item.record.name, *item.origin, dict(item.params)] for item in (*self.named, *self.standing)]


def fits(record: MetricRecord, task: Task) -> bool:
    """Return True if the task's kind and masks allow the metric."""
    return KINDS_OF_TASK & record.needs <= offers(task)


def named(
    catalog: Catalog, key: str, table: Mapping[str, Any] | None, standing: Mapping[str, Metric] | None = None
) -> Metric | None:
    """Return the metric that a study names; None where it is not installed.

    Args:
        catalog: what is installed.
        key: of its columns.
        table: what the study writes, None for a bare name.
        standing: by key; a bare name may be one of theirs.
    """
    name = str(table["use"]) if table else key
    if name not in catalog.names("metric"):
        return (standing or {}).get(key) if table is None else None
    params = {item: value for item, value in (table or {}).items() if item not in ("use", "name")}
    return _bound(catalog, name, key, params)


def _bound(catalog: Catalog, name: str, key: str, params: Mapping[str, Any], label: str = "", level: Any = None) -> Metric:
    provider = catalog.provider("metric", name)
    record: MetricRecord = catalog.get("metric", name)  # type: ignore[assignment]
    return Metric(key, record, params, label, level, (provider.distribution, provider.version))


def _standing(catalog: Catalog) -> Iterator[Metric]:
    names = sorted(catalog.names("metric"), key=lambda name: (catalog.get("metric", name).order, name))  # type: ignore[attr-defined]
    for name in names:
        record: MetricRecord = catalog.get("metric", name)  # type: ignore[assignment]
        for place in record.standing:
            yield _bound(catalog, name, place.name or name, place.params, place.label, place.level)
