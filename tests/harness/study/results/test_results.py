"""What a study's results are computed from: in parts that fit in memory, with the whole's values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.contract import tables
from harness.metrics.registry import Metrics
from harness.study.results.frames import gather
from harness.study.results.measured import RESAMPLES
from harness.study.results.results import Results, read_results
from harness.study.results.stored import TESTED
from harness.study.run.run import run_study
from harness.tables.measure.intervals import localisation_intervals
from harness.tables.measure.localisation_table import OF_MAPS, localisation_table
from harness.tables.measure.summary import replicates_table
from harness.tables.terms import Tables
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import scripted_plan
from tests.harness.study.installed_metrics import catalog_with_metrics


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two variants, two seeds, and the baseline on shuffled labels."""
    root = tmp_path_factory.mktemp("results")
    wide = {"use": "tiny_cnn", "width": 16}
    plan = scripted_plan(
        {"b": {"use": "tiny_cnn"}, "a": wide}, trials=1, epochs=1, baseline="b",
        confirm={"seeds": [0, 1], "label_control": True},
    )  # fmt: skip
    settings = Settings(data=root, results=root / "results", cache=root / "cache", device="cpu")
    folder = settings.results / plan.directory
    folder.mkdir(parents=True)
    sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
    assert run_study(plan, settings, tiny_catalog(), InlineTuner(), sampler).exit_code == 0
    return read_results(folder, catalog_with_metrics())


def test_a_grid_that_failed_at_all_its_points_is_a_failure_whatever_budget_it_had_left(tmp_path: Path) -> None:
    model = {"use": "tiny_cnn", "fault": "nan", "width": {"choice": [4, 8]}}
    plan = scripted_plan({"a": model}, trials=9, epochs=1, sampler={"use": "grid"})
    settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache", device="cpu")
    folder = settings.results / plan.directory
    folder.mkdir(parents=True)
    sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
    assert run_study(plan, settings, tiny_catalog(), InlineTuner(), sampler).exit_code == 1
    assert "not finite" in read_results(folder, tiny_catalog()).failures()["a"]


def whole(found: Results, name: str, *stages: str) -> pd.DataFrame:
    records = [r for r in found.records() if r.spec.stage in stages and r.state == "complete"]
    return gather(found.folder, records, f"{name}.parquet", getattr(tables, name.upper()))


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in table if table[name].dtype == object or name == "seed"]
    texts = table.assign(**{name: table[name].astype(str) for name in names})
    return texts.sort_values(names).reset_index(drop=True)


def test_localisation_by_variant_is_that_of_all_variants_at_once(found: Results) -> None:
    maps, lesions, candidates, layers = (whole(found, n, *TESTED) for n in ("maps", "lesions", "candidates", "layers"))
    metrics = found.metrics.at("tables", OF_MAPS)
    expected = localisation_table(maps, lesions, candidates, layers, found.task.classes, metrics)
    assert {"a", "b"} < set(expected["variant"])  # and the control
    pd.testing.assert_frame_equal(ordered(found.localisation), ordered(expected))
    bounds = localisation_intervals(maps, layers, found.task.classes, metrics, resamples=RESAMPLES)
    columns = [name for name in bounds if name != "value"]
    mine = found.localised[found.localised["stratum"] == "all"].merge(bounds[columns], how="inner")
    assert len(mine) == len(bounds)


def test_replicates_by_variant_are_those_of_all_variants_at_once(found: Results) -> None:
    expected = replicates_table(
        Tables(found.predictions, found.maps), found.metrics.at("replicates"), classes=found.task.classes
    )
    pd.testing.assert_frame_equal(ordered(found.replicates), ordered(expected))
    assert found.replicates["dice"].notna().any()


def test_columns_that_are_not_asked_for_are_not_read(found: Results) -> None:
    path = next(found.folder.glob("trials/*confirm*/maps.parquet"))
    all_of_it, terms = (tables.from_bytes(path.read_bytes(), without) for without in ((), tables.HISTOGRAMS))
    assert {*all_of_it} - {*terms} == {*tables.HISTOGRAMS}
    pd.testing.assert_frame_equal(all_of_it.drop(columns=list(tables.HISTOGRAMS)), terms)


def test_a_metric_whose_plugin_is_not_loaded_has_the_values_that_the_trials_stored(found: Results) -> None:
    assert found.not_loaded == () and found.plan.metrics == ("auroc",)
    computed = found.variants.set_index("variant")["auroc"]
    without = replace(found, metrics=Metrics())
    assert without.not_loaded == ("auroc",)
    stored = without._reported("auroc", found.variants)
    assert stored == pytest.approx(computed.tolist(), abs=1e-6)
