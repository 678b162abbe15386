"""docs/metrics.md has an entry for each metric, which says beside which masks it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness_metrics
from harness import MetricRecord, Task
from harness.metrics.registry import fits

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
LINES = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
KINDS = ("outline", "circle", "box", "layers")


@pytest.mark.parametrize("record", list(harness_metrics.harness_metrics()), ids=lambda record: record.name)
def test_each_metric_has_its_entry(record: MetricRecord) -> None:
    family = record.name.partition("_at_youden")[0]
    found = [cells for cells in LINES if f"`{record.name}" in cells[0] or f"`{family}`" in cells[0]]
    assert found, record.name
    if record.reads in ("maps", "lesions", "layers"):
        allowed = {kind for kind in KINDS if fits(record, Task(classes=("a",), mask_kind=kind))}
        for cells in (cells for cells in found if len(cells) == 8 and f"`{record.name}`" in cells[0]):
            assert {kind for kind, cell in zip(KINDS, cells[2:6], strict=True) if cell} == allowed, cells[0]
