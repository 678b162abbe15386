"""The distance of a map's peak to the lesion: by hand, and from the trial to the tables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import harness_metrics
from harness import hookimpl
from harness.contract.tables import CANDIDATES, LAYERS, LESIONS, from_bytes
from harness.contract.types import TrialResult, Workspace
from harness.tables.measure.localisation_table import OF_MAPS, localisation_table
from harness.tables.measure.summary import variant_table
from harness.tables.terms import Tables
from harness.testing.fakes import CLASSES, tiny_catalog, tiny_spec
from harness.trial.trial import run_trial
from tests.built_in_metrics import metric, registry

MASK = np.zeros((8, 8), bool)
MASK[2:4, 2:4] = True


def distance(*peaks: tuple[int, int], mask: np.ndarray = MASK) -> float:
    saliency = np.zeros((8, 8))
    for row, column in peaks:
        saliency[row, column] = 0.7
    return float(metric("peak_distance").record.build(saliency, mask))


def test_inside_is_zero_and_outside_the_nearest_lesion_counts() -> None:
    assert distance((2, 3)) == 0
    assert distance((3, 6)) == 3 and distance((7, 7)) == pytest.approx(math.hypot(4, 4))
    two = MASK.copy()
    two[7, 0] = True
    assert distance((7, 2), mask=two) == 2


def test_tied_peaks_are_averaged_as_those_of_one_cell_are() -> None:
    assert distance((2, 3), (3, 6)) == 1.5
    coarse = np.zeros((2, 2))
    coarse[0, 1] = 1.0  # columns 4 to 7 of rows 0 to 3
    expected = np.mean([math.hypot(max(0, 2 - row), column - 3) for row in range(4) for column in range(4, 8)])
    assert metric("peak_distance").record.build(coarse, MASK) == pytest.approx(expected)


class Plugin:
    @hookimpl
    def harness_metrics(self) -> list:
        return [record for record in harness_metrics.harness_metrics() if record.name == "peak_distance"]


def test_a_trial_stores_it_and_the_tables_read_it(tmp_path: Path) -> None:
    workspace, catalog = Workspace(data=tmp_path, cache=tmp_path / "cache", device="cpu"), tiny_catalog()
    catalog.register(Plugin())
    *_, result = run_trial(tiny_spec(stage="confirm", metrics=("auroc", "peak_distance")), catalog, workspace)
    assert isinstance(result, TrialResult) and result.state == "complete", result
    names = ("maps", "terms", "predictions")
    maps, terms, predictions = (from_bytes(result.files[f"{name}.parquet"]) for name in names)
    assert set(terms["metric"]) == {"peak_distance"} and (terms["value"] >= 0).all()
    metrics = registry(CLASSES, peak_distance=None)
    own = [item for item in metrics.at("tables", OF_MAPS) if item.record.reads == "maps"]
    empty = [maps[:0].reindex(columns=list(columns)) for columns in (LESIONS, CANDIDATES, LAYERS)]
    table = localisation_table(maps, *empty, CLASSES, own, terms)
    row = table.query("metric == 'peak_distance' and map == 'native' and stratum == 'all' and `class` == ''").iloc[0]
    assert row["value"] == pytest.approx(result.metrics["test/peak_distance"])
    assert {"control:centre", "control:random"} <= set(table.query("metric == 'peak_distance'")["map"])
    options = {"baseline": "tiny", "order": ["tiny"], "classes": CLASSES, "resamples": 20}
    board = variant_table(Tables(predictions=predictions, maps=maps, terms=terms), metrics.leaderboard, **options)
    assert board["peak_distance"][0] == pytest.approx(row["value"])
