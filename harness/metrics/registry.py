"""The metrics of a study: those that it names, and those that tables have by default."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from harness.contract.keys import RANKED
from harness.contract.loading.catalog import Catalog
from harness.contract.masks import KINDS_OF_TASK, offers
from harness.contract.metrics import LEVELS, Level, MetricRecord
from harness.contract.types import Task
from harness.metrics.metric import Metric


@dataclass(frozen=True)
class Metrics:
    """Metrics in the order of their columns.

    Args:
        named: by the study.
        standing: what tables have by default.
        faults: key -> the first error of a metric whose values are NaN for it.
    """

    named: tuple[Metric, ...] = ()
    standing: tuple[Metric, ...] = ()
    faults: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        task: Task,
        keys: Iterable[str] = (),
        tables: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Metrics:
        """Return the metrics of a study that are installed.

        Args:
            catalog: of installed components.
            task: of the study; default metrics that it does not allow are left out.
            keys: of the metrics that the study names.
            tables: key -> table of the study file, for metrics that are not given by a bare name.
        """
        faults: dict[str, str] = {}
        shown = tuple(metric.tolerated(faults) for metric in standing(catalog) if fits(metric.record, task))
        known = {metric.key: metric for metric in shown}
        found = (named(catalog, key, (tables or {}).get(key), known) for key in keys)
        return cls(tuple(metric.tolerated(faults) for metric in found if metric is not None), shown, faults)

    def at(self, level: Level, reads: Collection[str] = (), extra: bool = True) -> list[Metric]:
        """Return the metrics that are shown at a level, default ones first."""
        shown = LEVELS[: LEVELS.index(level) + 1]
        found = {metric.key: metric for metric in self.standing if metric.level in shown}
        found |= {metric.key: metric for metric in self.named if extra and metric.key not in found}
        return [metric for metric in found.values() if not reads or metric.record.reads in reads]

    @property
    def leaderboard(self) -> list[Metric]:
        """The metrics of the leaderboard, except the one that ranks variants."""
        return [metric for metric in self.at("leaderboard") if metric.key != RANKED]

    @property
    def titles(self) -> dict[str, str]:
        """The column title of each metric of the leaderboard by key, the one that ranks variants first."""
        return {RANKED: self.title(RANKED), **{metric.key: metric.title for metric in self.leaderboard}}

    @property
    def all_titles(self) -> dict[str, str]:
        """The column title of every metric, by key."""
        return {**self.titles, **{metric.key: metric.title for metric in (*self.standing, *self.named)}}

    def get(self, key: str) -> Metric | None:
        """Return the metric of this key, or None."""
        return next((metric for metric in (*self.named, *self.standing) if metric.key == key), None)

    def title(self, key: str) -> str:
        """Return the title of a column; the key itself if no metric has it."""
        metric = self.get(key)
        return metric.title if metric else key

    def facts(self) -> list[Any]:
        """Return the facts that tables depend on: key, distribution, version, parameters and code of each metric."""
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
    """Return the metric that a study names; None if it is not installed.

    Args:
        catalog: of installed components.
        key: of its columns.
        table: of the study file, None for a bare name.
        known: default metrics by key; a bare name may be one of their keys.
    """
    name = str(table["use"]) if table else key
    if catalog.address("metric", name) is None:
        return (known or {}).get(key) if table is None else None
    params = {item: value for item, value in (table or {}).items() if item not in ("use", "name")}
    return _bound(catalog, name, key, params)


@cache
def _code(module: str) -> str:
    """Return a digest of a module's file; "" if it has no file."""
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
    """Yield the metrics that tables have by default, in the order of their columns."""
    found = []
    for name in catalog.names("metric"):
        record: MetricRecord = catalog.get("metric", name)  # type: ignore[assignment]
        found += [
            ((record.order // 10, number, record.order), name, item) for number, item in enumerate(record.standing)
        ]
    for _, name, item in sorted(found, key=lambda entry: entry[:2]):
        yield _bound(catalog, name, item.name or name, item.params, item.label, item.level)
