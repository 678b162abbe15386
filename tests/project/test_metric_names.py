"""The name of a metric stands in its record alone: harness/ iterates over records."""

from __future__ import annotations

import ast
from pathlib import Path

import harness
import harness_metrics

ROOT = Path(harness.__file__).parent
DEFAULTS = {
    "contract/keys.py": {"auroc"},  # RANKED: what variants are ranked by, and the default metric of a study
    "statistics/ensemble.py": {"auroc"},  # what the weights of an average may maximise
    "study/file/external.py": {"auroc"},  # the same, in a study file
    "metrics/functional.py": {"auroc", "pixel_ap", "attention_gap"},  # public functions, in `__all__`
}
"""Where a metric's name may stand as a string, and which."""
HOMONYMS = {
    "reporting/sections/compared.py": {"precision"},  # an axis of the precision-recall curve
    "reporting/sections/located.py": {"accuracy"},  # a column of the decision chart, which is the AUROC
    "tables/measure/decision_chart.py": {"accuracy"},
}
"""Where the same word means something else."""


def names() -> set[str]:
    records = list(harness_metrics.harness_metrics())
    return {record.name for record in records} | {item.name for record in records for item in record.standing} - {""}


def strings(path: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_no_metric_is_named_in_harness_outside_defaults() -> None:
    found = {str(path.relative_to(ROOT)): strings(path) & names() for path in sorted(ROOT.rglob("*.py"))}
    assert {path: own for path, own in found.items() if own} == DEFAULTS | HOMONYMS
