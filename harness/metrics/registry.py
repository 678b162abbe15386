"""The metrics of a study: those that it names, and those that stand in tables without being named."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
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
        shown = tuple(metric for metric in standing(catalog) if fits(metric.record, task))
        known = {metric.key: metric for metric in shown}
        found = (named(catalog, key, (tables or {}).get(key), known) for key in keys)
        return cls(tuple(metric for metric in found if metric is not None), shown)

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

    @property
    def titles(self) -> dict[str, str]:
        """Key -> head of the column of each metric of the leaderboard, what variants are ranked by first."""
        return {RANKED: self.title(RANKED), **{metric.key: metric.title for metric in self.leaderboard}}

    @property
    def all_titles(self) -> dict[str, str]:
        """Key -> head of the column of every metric."""
        return {**self.titles, **{metric.key: metric.title for metric in (*self.standing, *self.named)}}

    def get(self, key: str) -> Metric | None:
        """Return the metric of this key, or None."""
        return next((metric for metric in (*self.named, *self.standing) if metric.key == key), None)

    def title(self, key: str) -> str:
        """Return the head of a column; the key itself where nothing of that name is installed."""
        metric = self.get(key)
        return metric.title if metric else key

    def facts(self) -> list[Any]:
        """Return what tables depend on: each metric's key, distribution, version, parameters and code."""
        return [
            [item.key, item.record.name, *item.origin, dict(item.params), _code(item.record.build.__module__)]
            for item in (*self.named, *self.standing)
        ]


def fits(record: MetricRecord, task: Task) -> bool:
    """Return True if the task's kind and masks allow the metric."""
    return KINDS_OF_TASK & record.needs <= offers(task)


def named(
    catalog: Catalog, key: str, table: Mapping[str, Any] | None, known: Mapping[str, Metric] | None = None
) -> Metric | None:
    """Return the metric that a study names; None where it is not installed.

    Args:
        catalog: what is installed.
        key: of its columns.
        table: what the study writes, None for a bare name.
        known: those that stand in tables, by key; a bare name may be one of theirs.
    """
    name = str(table["use"]) if table else key
    if name not in catalog.names("metric"):
        return (known or {}).get(key) if table is None else None
    params = {item: value for item, value in (table or {}).items() if item not in ("use", "name")}
    return _bound(catalog, name, key, params)


@cache
def _code(module: str) -> str:
    """Return a digest of a module's file; "" where it has none."""
    path = getattr(sys.modules.get(module), "__file__", None)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""


def _bound(
    catalog: Catalog, name: str, key: str, params: Mapping[str, Any], label: str = "", level: Any = None
) -> Metric:
    provider = catalog.provider("metric", name)
    record: MetricRecord = catalog.get("metric", name)  # type: ignore[assignment]
    return Metric(key, record, params, label, level, (provider.distribution, provider.version))


def study_metrics(
    catalog: Catalog, keys: Iterable[str], tables: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Metric, ...]:
    """Return the metrics of these keys; arguments as in `Metrics.of`.

    Raises:
        InputError: one is not installed.
    """
    known = {metric.key: metric for metric in standing(catalog)}
    found = []
    for key in keys:
        metric = named(catalog, key, (tables or {}).get(key), known)
        if metric is None:
            catalog.get("metric", str((tables or {}).get(key, {}).get("use", key)))  # raises, with the nearest name
        else:
            found.append(metric)
    return tuple(found)


def standing(catalog: Catalog) -> Iterator[Metric]:
    """Yield the metrics that tables have without a study naming them, in the order of their columns."""
    found = []
    for name in catalog.names("metric"):
        record: MetricRecord = catalog.get("metric", name)  # type: ignore[assignment]
        found += [
            ((record.order // 10, number, record.order), name, item) for number, item in enumerate(record.standing)
        ]
    for _, name, item in sorted(found, key=lambda entry: entry[:2]):
        yield _bound(catalog, name, item.name or name, item.params, item.label, item.level)
