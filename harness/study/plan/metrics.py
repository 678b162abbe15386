"""Checks of the metrics of a study: those that it names, its objective, and those of its claims."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from harness.contract.errors import Problems, nearest, nearest_or_all
from harness.contract.keys import RANKED, metric_of
from harness.contract.loading.catalog import Catalog
from harness.contract.masks import REGIONS
from harness.contract.metrics import MetricRecord
from harness.contract.tables import named
from harness.contract.types import Objective
from harness.metrics.registry import standing
from harness.study.file.sections import ClaimSection, StudySection
from harness.study.plan.checks import Checked
from harness.tables.columns import clash

MASKS = frozenset({"eval_masks", "train_masks", "region", "layers", *REGIONS})
_NAME = "[a-z][a-z0-9_]*"


@dataclass(frozen=True)
class NamedMetrics:
    """The metrics of a study file, by key."""

    section: StudySection
    catalog: Catalog

    @cached_property
    def standing(self) -> Mapping[str, MetricRecord]:
        """Metrics that tables have without being named, by key."""
        return {metric.key: metric.record for metric in standing(self.catalog)}

    @cached_property
    def entries(self) -> Mapping[str, tuple[str, Any]]:
        """Key -> path in the file and entry; of equal keys the first."""
        found: dict[str, tuple[str, Any]] = {}
        for index, entry in enumerate(self.section.metrics):
            found.setdefault(named(entry)[0], (f"study.metrics.{index}", entry))
        return found

    @property
    def installed(self) -> list[str]:
        """All names of metrics that no study gives."""
        return sorted({*self.standing, *self.catalog.names("metric")})

    @property
    def known(self) -> list[str]:
        """All names that an objective may have."""
        return sorted({*self.installed, *(key for key in self.entries if self.record(key) is not None)})

    def record(self, key: str) -> MetricRecord | None:
        """Return the record of a key; None where no metric has it."""
        entry = self.entries.get(key, ("", key))[1]
        name = str(entry.get("use")) if isinstance(entry, Mapping) else entry
        if self.catalog.address("metric", name) is not None:
            return self.catalog.get("metric", name)  # type: ignore[return-value]
        return self.standing.get(name) if isinstance(entry, str) else None

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Key -> `use` and parameters, of the entries that are no bare name."""
        entries = {key: named(entry)[1] for key, (_, entry) in self.entries.items()}
        tables = {key: item if isinstance(item, Mapping) else {"use": item} for key, item in entries.items()}
        return {key: dict(table) for key, table in tables.items() if len(table) > 1 or table.get("use") != key}

    def objective(self) -> Objective:
        """Return the objective with its direction: the study's or, where it names none, that of the metric."""
        section = self.section.objective
        record = self.record(metric_of(section.metric, self.known) or "")
        return Objective(metric=section.metric, mode=section.mode or (_mode(record) if record else "max"))


def check_metrics(
    metrics: NamedMetrics, checked: Collection[Checked], problems: Problems
) -> tuple[tuple[str, ...], list[str]]:
    """Return the keys of the metrics to compute, the objective's among them, and why others are left out.

    Mistakes go to `problems`.
    """
    _check_entries(metrics, problems)
    _check_objective(metrics, checked, problems)
    _check_claims(metrics, problems)
    wanted = list(metrics.entries)
    objective = metric_of(metrics.section.objective.metric, metrics.known)
    if objective is not None and objective not in wanted:
        wanted.insert(0, objective)
    kept, dropped = [], []
    for key in wanted:
        record = metrics.record(key)
        if record is None:
            continue
        lacking = [sorted(record.needs - item.provides) for item in checked]
        if lacking and all(lacking):
            dropped.append(f"the metric {key!r} is left out: it needs {', '.join(lacking[0])}")
        else:
            kept.append(key)
    return tuple(kept), dropped


def _check_entries(metrics: NamedMetrics, problems: Problems) -> None:
    """Check for unknown names, equal keys, keys that are other columns, and wrong parameters."""
    taken, shown = set[str](), {*metrics.standing, *metrics.entries}
    for key, record in metrics.standing.items():
        if other := clash(key, shown):
            provider = metrics.catalog.provider("metric", record.name)
            problems.add("study.metrics", f"{provider}: its metric {key!r} is also {other}; disable the plugin")
    for index, entry in enumerate(metrics.section.metrics):
        path, (key, table) = f"study.metrics.{index}", named(entry)
        if key in taken:
            problems.add(path, f'{key!r} is named twice; give one of them a name, as `name = "{key}_2"`')
        elif other := clash(key, shown):
            problems.add(path, f'{key!r} is also {other}; give it another name, as `name = "my_metric"`')
        taken.add(key)
        if isinstance(entry, str) and (entry in metrics.standing or metrics.record(entry) is None):
            if metrics.record(entry) is None:
                problems.add(path, f"no metric named {entry!r}{nearest_or_all(entry, metrics.installed)}")
            continue
        before = len(problems.messages)
        factory = metrics.catalog.factory("metric", table, problems, path)
        if factory is None or len(problems.messages) > before:
            continue
        if message := misnamed(key, factory.name, metrics.installed, "metric"):
            problems.add(path, message)
        try:
            factory.facts()
        except ValueError as error:
            problems.add(path, f"{factory.name!r}: {error}")


def misnamed(key: str, name: str, taken: Collection[str], kind: str) -> str:
    """Return why a study may not give the component `name` this key; "" if it may."""
    if key == name:
        return ""
    if not re.fullmatch(_NAME, key):
        return f"a name is made of small letters, digits and _, a letter first; found {key!r}"
    return f"{key!r} is another {kind}'s name, and this is {name!r}" if key in taken else ""


def _check_objective(metrics: NamedMetrics, checked: Collection[Checked], problems: Problems) -> None:
    """Check that a search can follow the objective, in the direction of its metric."""
    section = metrics.section.objective
    path, parts = "study.objective.metric", section.metric.split("/")[1:]
    name = metric_of(section.metric, metrics.known)
    record = metrics.record(name) if name else None
    if name is None or record is None:
        problems.add(path, f"no metric named {parts[0]!r}{nearest_or_all(parts[0], metrics.known)}")
        return
    if needs := sorted(record.needs & MASKS):
        problems.add(path, f"{name!r} needs {', '.join(needs)}, which a search may not see")
    elif record.fit is not None:
        problems.add(path, f"{name!r} fits a threshold on val, the split that a search is judged by")
    natural = _mode(record)
    if section.mode not in (None, natural):
        better = "higher" if natural == "max" else "lower"
        problems.add(
            "study.objective.mode", f"{section.mode!r} contradicts {name!r}, of which {better} is better: {natural!r}"
        )
    rest = parts[parts.index(name) + 1 :]
    for item in checked:
        if len(rest) > 1 or (rest and rest[0] not in item.task.classes):
            problems.add(path, f"no class named {'/'.join(rest)!r}{nearest(rest[0], item.task.classes)}")


def _check_claims(metrics: NamedMetrics, problems: Problems) -> None:
    """Check that the study measures the metrics of its claims, and that margins suit their scales."""
    known = sorted({RANKED, *metrics.entries, *metrics.standing})
    for number, claim in enumerate(metrics.section.claims):
        path = f"study.claims.{number}.metric"
        if claim.metric in known:
            _check_margins(claim, metrics.record(claim.metric), path.removesuffix(".metric"), problems)
        elif claim.metric in metrics.catalog.names("metric"):
            problems.add(path, f"the study does not measure {claim.metric!r}; name it in study.metrics")
        else:
            problems.add(path, f"no metric named {claim.metric!r}{nearest_or_all(claim.metric, known)}")


def _check_margins(claim: ClaimSection, record: MetricRecord | None, path: str, problems: Problems) -> None:
    """Check that a margin is smaller than the whole range of the metric, if that is finite."""
    low, high = record.bounds if record else (-math.inf, math.inf)
    for name in ("within", "not_below"):
        margin = getattr(claim, name)
        if margin is not None and margin >= high - low:
            message = f"must be less than {high - low:g}: {claim.metric!r} lies in [{low:g}, {high:g}], found {margin}"
            problems.add(f"{path}.{name}", message)


def _mode(record: MetricRecord) -> Literal["max", "min"]:
    return "max" if record.higher_is_better else "min"
