"""The built-in metrics for tests of tables and formulas: by name, with their terms made from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

import harness_metrics
from harness import Task
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider
from harness.metrics.metric import Metric
from harness.metrics.registry import Metrics, study_metrics
from harness.nn import Batch, Output
from harness.trial.model.measure import collector


def catalog() -> Catalog:
    found = Catalog()
    found.register(harness_metrics, Provider("metrics", "built-in", "0"))
    assert not found.broken
    return found


def registry(
    classes: Sequence[str] = ("a",), kind: str = "multilabel", masks: str = "outline", **named: Any
) -> Metrics:
    """The metrics of a study; `named` are keys and tables of those that it names."""
    task = Task(classes=tuple(classes), kind=kind, mask_kind=masks)  # type: ignore[arg-type]
    tables = {key: table for key, table in named.items() if table}
    return Metrics.of(catalog(), task, named, tables)


def metric(key: str, **table: Any) -> Metric:
    (found,) = study_metrics(catalog(), [key], {key: table} if table else {})
    return found


def of_scores(key: str, labels: Any, scores: Any, classes: Sequence[str], kind: str = "multilabel") -> dict[str, float]:
    """The values of a metric of scores "n k" by class, as a validation has them."""
    one = collector(metric(key), Task(classes=tuple(classes), kind=kind))  # type: ignore[arg-type]
    batch = Batch(labels=torch.as_tensor(labels).double(), ids=tuple(map(str, range(len(labels)))))
    one.update(Output(probs=torch.as_tensor(scores).double()), batch)
    return one.compute()
