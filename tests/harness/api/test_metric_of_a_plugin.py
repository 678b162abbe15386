"""A metric that a plugin brings is a column of the leaderboard, by its bare name and by its address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import harness
from harness import MetricRecord, hookimpl
from harness.contract.provider import Provider
from tests.harness.api.test_api import session_in, tables


def hits(terms: Any, /, *, threshold: float = 0.5) -> Any:
    return (terms.scores >= threshold) == (terms.labels > 0.5)


class Metrics:
    @hookimpl
    def harness_metrics(self) -> list[MetricRecord]:
        return [MetricRecord(name="hits", label="right answers", build=hits, summary="s", reads="scores")]


@pytest.mark.parametrize("named", ["hits", "acme-metrics:hits", {"use": "acme-metrics:hits", "threshold": 0.4}])
def test_a_named_metric_has_a_column(named: Any, tmp_path: Path, migrated_mlflow: Path) -> None:
    session = session_in(tmp_path, migrated_mlflow)
    session.catalog.register(Metrics(), Provider("metrics", "acme-metrics", "0.1"))
    study = tables()
    study["study"]["metrics"] = ["auroc", named]
    study["variants"] = {"narrow": {}}
    study["study"]["baseline"] = "narrow"
    results = harness.run(study, tuner="inline", session=session)
    assert results.plan.metrics == ("auroc", "hits")
    assert 0 <= results.variants["hits"].iloc[0] <= 1
    assert results.plan.plugins["acme-metrics"] == "0.1"
