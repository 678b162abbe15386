"""A study whose components are broken ends with the result of every other variant, and names what is broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.cli.views.leaderboard import results_view
from harness.cli.views.show import rows_of
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Model, Output
from harness.study.results.results import Results, read_results
from harness.study.run.run import run_study
from harness.testing.fake_models import TinyCnn
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import scripted_plan
from tests.harness.trial.seams.strangers import architecture, metric, register

VARIANTS = {"good": "tiny_cnn", "nan": "nan", "raises": "raises", "shape": "shape", "again": "tiny_cnn"}


class Damages(Explainer):
    def explain(self, model: Model, batch: Batch, classes) -> object:
        model.train()
        return batch.images[:, 0].sigmoid()


def catalog() -> Catalog:
    def nan(self: Model, batch: Batch) -> Output:
        out = TinyCnn.forward(self, batch)
        return replace(out, probs=out.probs / 0 * 0)

    def raises(self: Model, batch: Batch) -> Output:
        raise RuntimeError("no scores today")

    def shape(self: Model, batch: Batch) -> Output:
        out = TinyCnn.forward(self, batch)
        return Output(probs=out.probs[:, :1])

    found = tiny_catalog()
    register(found, "architecture", nan=architecture(nan), raises=architecture(raises), shape=architecture(shape))
    register(found, "metric", text=metric(lambda terms, weights, /: "high", name="text"))
    return register(found, "explainer", damages=lambda: Damages())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root: Path = tmp_path_factory.mktemp("study")
    models = {name: {"use": use} for name, use in VARIANTS.items()}
    plan = scripted_plan(models, trials=1, epochs=1, seeds=(0,))
    plan = replace(plan, metrics=(*plan.metrics, "text"), explain={**plan.explain, "use": ["native", "damages"]})
    settings = Settings(data=root, results=root / "results", cache=root / "cache", device="cpu")
    folder = settings.results / plan.directory
    folder.mkdir(parents=True)
    run_study(plan, settings, catalog(), InlineTuner(), OptunaSampler(f"sqlite:///{folder / 'optuna.db'}"))
    return read_results(folder, catalog())


def test_every_other_variant_has_its_result(results: Results) -> None:
    assert results.finished
    assert set(results.variants["variant"]) == {"good", "again"}


def test_each_broken_variant_names_its_component(results: Results) -> None:
    failures = results.failures()
    assert set(failures) == {"nan", "raises", "shape"}
    assert failures["nan"].startswith("architecture 'nan' (acme-parts 1.2) gave the output probs that is not finite")
    assert failures["shape"].startswith("architecture 'shape' (acme-parts 1.2) gave probs float32 (16, 1)")
    assert "no scores today (raised in" in failures["raises"] and "architecture 'raises'" in failures["raises"]


def test_the_leaderboard_says_which_maps_are_missing_and_why(results: Results) -> None:
    assert set(results.left_out) == {"good, map damages", "again, map damages", "metric text"}
    console = Console(width=200, record=True)
    missing = {**results.failures(), **results.left_out}
    console.print(results_view(results.plan, rows_of(results, False), results.task.classes, missing, {"auroc": "AUC"}))
    text = console.export_text()
    assert "metric text: metric 'text' (acme-parts 1.2) gave 'high'" in text
    assert "good, map damages: explainer 'damages' (acme-parts 1.2) gave back a changed model" in text
