"""Studies of tables: read, checked, journalled and stored as confirmed models are; averaged; resumed; compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from harness import MetricRecord, hookimpl
from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Plan
from harness.study.file.spec import read_study
from harness.study.journal.journal import TRIAL_ASKED, TRIAL_FINISHED, TRIAL_MEASURED, Journal
from harness.study.plan.plan import make_plan
from harness.study.results.results import Results, read_results
from harness.study.run.run import Outcome, run_study
from harness.tables.measure.costs import table_card
from harness.testing.fakes import tiny_catalog
from harness_metrics import harness_metrics

EXAMS = 40


class NoTuner:
    def run(self, *_: Any) -> None:
        raise AssertionError("nothing is to be trained")


class NoSampler:
    def sync(self, *_: Any) -> None:
        raise AssertionError("nothing is to be searched")

    ask = tell = states = sync


def columns(**changes: Any) -> dict[str, Any]:
    common = {"predictions": "x.csv", "id": ["case", "side"], "group": "case", "label": "cancer"}
    return {key: value for key, value in (common | changes).items() if value is not None}


def only_tables(**ensembles: Any) -> dict[str, Any]:
    return {
        "study": {"baseline": "net"},
        "external": {"net": columns(score="net"), "flat": columns(score="flat")},
        "readers": {"people": columns(score="r*")},
        "ensembles": ensembles,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    cancer = (rng.random(2 * EXAMS) < 0.3).astype(int)
    frame = pd.DataFrame({"case": np.repeat(np.arange(EXAMS), 2), "side": ["L", "R"] * EXAMS, "cancer": cancer})
    for name, shift in {"net": 1.5, "r1": 0.5, "r2": 1.0, "r3": 0.8}.items():
        frame[name] = 1 / (1 + np.exp(-shift * cancer - rng.normal(size=len(cancer))))
    frame.assign(flat=0.5).to_csv(tmp_path / "x.csv", index=False)
    return tmp_path


def run(
    tables: dict[str, Any], root: Path, tuner: Any = None, sampler: Any = None, catalog: Catalog | None = None
) -> tuple[Plan, Outcome]:
    catalog = catalog or tiny_catalog()
    settings = Settings(data=root, results=root / "results", cache=root / "cache", device="cpu")
    plan = make_plan(read_study(tables, root / "s.toml"), catalog, settings)
    return plan, run_study(plan, settings, catalog, tuner or NoTuner(), sampler or NoSampler())


def found(plan: Plan, root: Path) -> Results:
    return read_results(root / "results" / plan.directory, tiny_catalog())


def areas(root: Path) -> dict[str, float]:
    frame = pd.read_csv(root / "x.csv")
    return {name: roc_auc_score(frame["cancer"], frame[name]) for name in ("net", "flat", "r1", "r2", "r3")}


def test_tables_are_shown_as_models_are_and_nothing_is_trained(root: Path) -> None:
    plan, outcome = run(only_tables(mixed={"of": ["people", "net"], "lambda": 0.5}), root)
    assert outcome.exit_code == 0, outcome.message
    results, truth = found(plan, root), areas(root)
    assert results.finished and results.task.classes == ("cancer",)
    table = results.variants.set_index("variant")
    assert table.index.tolist() == ["net", "flat", "people", "mixed"]
    assert table.loc["net", "auroc"] == pytest.approx(truth["net"])
    assert table.loc["flat", "auroc"] == 0.5 and np.isnan(table.loc["flat", "auroc_low"])  # the same in every resample
    assert table.loc["people", "auroc"] == pytest.approx(np.mean([truth[name] for name in ("r1", "r2", "r3")]))
    assert table.loc["people", "replicates"] == 3 and table.loc["mixed", "replicates"] == 3


def test_a_hybrid_is_lambda_reader_plus_the_rest_model_reader_by_reader(root: Path) -> None:
    plan, _ = run(only_tables(mixed={"of": ["people", "net"], "lambda": 0.3}), root)
    frame, rows = pd.read_csv(root / "x.csv"), found(plan, root).predictions
    for reader in ("r1", "r2", "r3"):
        own = rows[(rows["variant"] == "mixed") & (rows["seed"] == reader)].set_index("id")["score"]
        ids = frame["case"].astype(str) + "/" + frame["side"]
        np.testing.assert_allclose(own.loc[ids], 0.3 * frame[reader] + 0.7 * frame["net"])


def test_weights_are_kept_beside_the_table_and_say_what_they_were_fitted_on(root: Path) -> None:
    plan, _ = run(only_tables(fitted={"of": ["net", "flat"], "weights": "fit", "folds": 4}), root)
    results = found(plan, root)
    record = next(record for record in results.records() if record.spec.variant == "fitted")
    said = json.loads((results.folder / "trials" / record.spec.id / "ensemble.json").read_text())
    assert said["fitted_on"] == "test, cross-fitted" and len(said["weights"]) == 4
    assert results.variants.set_index("variant").loc["fitted", "auroc"] == pytest.approx(areas(root)["net"], abs=0.02)


def test_the_metrics_of_a_table_are_those_of_its_scores(root: Path) -> None:
    plan, _ = run(only_tables(), root)
    for record in found(plan, root).records():
        assert record.result is not None and record.spec.stage == "confirm"
        name = record.spec.params.get("reader", record.spec.variant)
        assert record.result.metrics["test/auroc"] == pytest.approx(areas(root)[name])
        assert record.result.ledger == {"opened": ["test"]}
    ledger = (root / "results" / "ledger.jsonl").read_text().splitlines()
    assert {json.loads(line)["digest"] for line in ledger} == {plan.dataset_digest} and len(ledger) == 5


def test_a_finished_study_is_left_and_a_system_added_is_read_alone(root: Path) -> None:
    plan, _ = run(only_tables(), root)
    journal = Journal(root / "results" / plan.directory / "journal.jsonl")
    before = journal.read()
    run(only_tables(), root)
    assert journal.read() == before
    more = only_tables(mean={"of": ["net", "flat"]})
    more["external"]["r3"] = columns(score="r3")
    again, outcome = run(more, root)
    assert outcome.exit_code == 0 and again.directory == plan.directory
    asked = [event.data["spec"]["variant"] for event in journal.read()[len(before) :] if event.kind == TRIAL_ASKED]
    assert asked == ["r3", "mean"]


def test_a_study_that_was_cut_off_between_two_tables_goes_on_with_the_next(root: Path) -> None:
    plan, _ = run(only_tables(mean={"of": ["net", "flat"]}), root)
    path = root / "results" / plan.directory / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if TRIAL_FINISHED in line) + 2  # the second was asked, no more
    path.write_text("".join(lines[:cut]))
    _, outcome = run(only_tables(mean={"of": ["net", "flat"]}), root)
    results = found(plan, root)
    assert outcome.exit_code == 0 and results.finished
    assert [record.spec.id for record in results.records()] == [f"{v.id[:12]}-confirm-{n}" for v, n in _all(plan)]


def _all(plan: Plan) -> list[tuple[Any, int]]:
    return [(variant, n) for variant in plan.variants for n in range(len(variant.facts.get("readers", [0])))]


def test_every_bad_table_is_told_and_nothing_of_it_is_kept(root: Path) -> None:
    frame = pd.read_csv(root / "x.csv")
    frame.assign(net=frame["net"].where(frame.index != 3)).to_csv(root / "nan.csv", index=False)
    frame.iloc[2:].to_csv(root / "short.csv", index=False)
    tables = only_tables()
    tables["external"]["nan"] = columns(predictions="nan.csv", score="net")
    tables["external"]["short"] = columns(predictions="short.csv", score="net")
    plan, outcome = run(tables, root)
    assert outcome.exit_code == 2
    assert outcome.message.splitlines() == [
        "nan.csv, nan: net: a score is no finite number: 1 id (1/R)",
        "short.csv, short: test: not the rows of 'net' (80): lacks 2 ids (0/L, 0/R)",
    ]
    assert not found(plan, root).state.trials


def test_a_table_that_changes_after_it_was_planned_is_not_read(root: Path) -> None:
    catalog = tiny_catalog()
    settings = Settings(data=root, results=root / "results", cache=root / "cache", device="cpu")
    plan = make_plan(read_study(only_tables(), root / "s.toml"), catalog, settings)
    (root / "x.csv").write_text((root / "x.csv").read_text() + "99,L,0,.1,.1,.1,.1,.5\n")
    outcome = run_study(plan, settings, catalog, NoTuner(), NoSampler())  # type: ignore[arg-type]
    assert outcome.exit_code == 2 and "has changed since the study was planned" in outcome.message


def test_an_average_of_scores_that_are_no_probabilities_fails_with_its_reason(root: Path) -> None:
    frame = pd.read_csv(root / "x.csv")
    frame.assign(logit=np.log(frame["net"] / (1 - frame["net"]))).to_csv(root / "x.csv", index=False)
    tables = only_tables(mean={"of": ["net", "logits"]})
    tables["external"]["logits"] = columns(score="logit")
    plan, outcome = run(tables, root)
    assert outcome.exit_code == 1 and list(outcome.reasons) == ["mean"]
    assert "averages need scores in [0, 1]" in outcome.reasons["mean"]
    assert found(plan, root).variants.set_index("variant").loc["logits", "auroc"] == pytest.approx(areas(root)["net"])


class Decisions:
    @hookimpl
    def harness_metrics(self) -> list[MetricRecord]:
        return [record for record in harness_metrics() if record.name in ("ece", "brier", "f1", "top1")]


def measured(plan: Plan, root: Path) -> dict[str, Any]:
    return {r.spec.variant: r.result.metrics for r in found(plan, root).records() if r.result is not None}


def test_ratings_beyond_0_and_1_have_areas_and_no_figures_of_probabilities(root: Path) -> None:
    frame = pd.read_csv(root / "x.csv")
    frame.assign(rating=100 * frame["net"]).to_csv(root / "x.csv", index=False)
    catalog = tiny_catalog()
    catalog.register(Decisions())
    study = {"baseline": "net", "metrics": ["auroc", "ece", "brier", "f1"]}
    tables = {"study": study, "external": {name: columns(score=name) for name in ("net", "rating")}}
    plan, outcome = run(tables, root, catalog=catalog)
    assert outcome.exit_code == 0, outcome.message
    figures = measured(plan, root)
    for metric in ("ece", "brier", "f1"):
        assert 0 < figures["net"][f"test/{metric}"] < 1 and np.isnan(figures["rating"][f"test/{metric}"])
    assert figures["rating"]["test/auroc"] == figures["net"]["test/auroc"]
    table = found(plan, root).classification
    assert table[(table["variant"] == "rating") & (table["metric"] == "brier")]["value"].isna().all()


def test_systems_that_disagree_on_what_is_diagnosed_are_told_before_any_table_is_shown(root: Path) -> None:
    tables = only_tables()
    tables["external"]["flat"] = columns(score="flat", unit="case")
    plan, outcome = run(tables, root)
    assert outcome.exit_code == 2
    said = "x.csv, flat: a unit differs from that in 'net': 80 ids (0/L, 0/R, 1/L and 77 more)"
    assert outcome.message.splitlines()[0] == said
    assert not found(plan, root).state.trials


def exclusive(root: Path, **study: Any) -> dict[str, Any]:
    rng, names = np.random.default_rng(1), ["a", "b", "c"]
    truth = np.eye(3, dtype=int)[rng.integers(3, size=30)]
    scores = rng.dirichlet(np.ones(3), size=30) * 0.6 + truth * 0.4
    frame = pd.DataFrame(np.hstack([truth, scores]), columns=[*names, *(f"s_{name}" for name in names)])
    frame.assign(case=range(30)).to_csv(root / "z.csv", index=False)
    both = {"labels": {n: n for n in names}, "score": {n: f"s_{n}" for n in names}}
    system = {"predictions": "z.csv", "id": "case", "group": "case", **both}
    return {
        "study": {"baseline": "net", "metrics": ["auroc", "top1"], **study},
        "external": {"net": system, "twin": system},
        "ensembles": {"mean": {"of": ["net", "twin"]}},
    }


def test_tables_of_exclusive_classes_have_the_figures_of_such_tasks(root: Path) -> None:
    catalog = tiny_catalog()
    catalog.register(Decisions())
    plan, outcome = run(exclusive(root, kind="multiclass"), root, catalog=catalog)
    assert outcome.exit_code == 0 and plan.metrics == ("auroc", "top1"), outcome.message
    frame = pd.read_csv(root / "z.csv")
    right = (frame[["s_a", "s_b", "s_c"]].to_numpy().argmax(1) == frame[["a", "b", "c"]].to_numpy().argmax(1)).mean()
    assert {name: own["test/top1"] for name, own in measured(plan, root).items()} == pytest.approx(
        dict.fromkeys(("net", "twin", "mean"), right)
    )
    results = read_results(root / "results" / plan.directory, Catalog.discover())
    assert results.task.kind == "multiclass"
    assert {"top1", "f1_top1", "ece_top1"} <= set(results.classification["metric"])


def test_without_that_word_the_plan_says_what_is_left_out(root: Path) -> None:
    catalog = tiny_catalog()
    catalog.register(Decisions())
    plan, outcome = run(exclusive(root), root, catalog=catalog)
    assert outcome.exit_code == 0 and plan.metrics == ("auroc",), outcome.message
    assert "the metric 'top1' is left out: it needs multiclass" in plan.warnings
    assert found(plan, root).task.kind == "multilabel"


def test_exclusive_classes_that_are_not_are_refused(root: Path) -> None:
    tables = exclusive(root, kind="multiclass")
    for key in ("labels", "score"):  # of both systems: images of class a now have none
        tables["external"]["net"][key].pop("a")
    _, outcome = run({**tables, "study": {"kind": "multiclass", "baseline": "net"}}, root)
    assert outcome.exit_code == 2
    assert outcome.message.startswith('z.csv, net: kind = "multiclass": not exactly one label is 1: ')


class Later:
    @hookimpl
    def harness_metrics(self) -> list[MetricRecord]:
        (brier,) = (record for record in harness_metrics() if record.name == "brier")
        return [replace(brier, name="brier_too", standing=())]


def test_a_metric_named_later_is_computed_from_the_tables_that_are_there(root: Path) -> None:
    catalog = tiny_catalog()
    catalog.register(Later())
    plan, _ = run(only_tables(mean={"of": ["net", "flat"]}), root, catalog=catalog)
    tables = only_tables(mean={"of": ["net", "flat"]})
    tables["study"]["metrics"] = ["auroc", "brier_too"]
    _, outcome = run(tables, root, catalog=catalog)
    assert outcome.exit_code == 0, outcome.message
    events = Journal(root / "results" / plan.directory / "journal.jsonl").read()
    assert sum(event.kind == TRIAL_MEASURED for event in events) == 6
    record = next(record for record in found(plan, root).records() if record.spec.variant == "flat")
    assert record.result is not None and record.result.metrics["test/brier_too"] == pytest.approx(0.25)


def test_the_card_of_a_study_of_tables_counts_its_rows(root: Path) -> None:
    plan, _ = run(only_tables(), root)
    card = table_card(found(plan, root).predictions, ["cancer"])
    assert card.to_dict("records") == [
        {
            "split": "test",
            "images": 80,
            "units": 80,
            "patients": 40,
            "cancer": pd.read_csv(root / "x.csv")["cancer"].sum(),
        }
    ]


TRAINED = {
    "study": {"baseline": "tiny"},
    "dataset": {"use": "squares", "images": 16},
    "train": {"epochs": 1, "batch_size": 8, "lr": 0.01},
    "model": {"use": "tiny_cnn"},
    "confirm": {"seeds": [0, 1]},
    "variants": {"tiny": {}},
}


def beside(**ensembles: Any) -> dict[str, Any]:
    known = {"bright": "b", "dark": "d"}
    return {
        **TRAINED,
        "external": {"known": {"predictions": "y.csv", "id": "id", "score": known}},
        "ensembles": ensembles,
    }


@pytest.fixture
def squares(root: Path) -> Path:
    """A table of the data set's test split by a system that is nearly right."""
    samples = tiny_catalog().build("dataset", TRAINED["dataset"], root).split("test")
    rows = [{"id": s.id, "b": 0.2 + 0.5 * s.labels[0], "d": 0.3 + 0.4 * s.labels[1]} for s in samples]
    pd.DataFrame(rows).to_csv(root / "y.csv", index=False)
    return root


def trained(tables: dict[str, Any], root: Path) -> tuple[Plan, Outcome]:
    return run(tables, root, InlineTuner(), OptunaSampler(f"sqlite:///{root / 'optuna.db'}"))


def test_a_system_stands_beside_trained_models_and_is_averaged_with_them_seed_by_seed(squares: Path) -> None:
    tables = beside(both={"of": ["tiny", "known"]}, fitted={"of": ["tiny", "known"], "weights": "fit", "folds": 2})
    plan, outcome = trained(tables, squares)
    assert outcome.exit_code == 0, outcome.message
    results = found(plan, squares)
    table = results.variants.set_index("variant")
    assert table["replicates"].to_dict() == {"tiny": 2, "known": 1, "both": 2, "fitted": 2}
    seeds = results.replicates[results.replicates["head"] == "output"].groupby("variant")["seed"].agg(list)
    assert seeds["tiny"] == [0, 1] == seeds["both"] and np.isnan(seeds["known"]).all()  # numbers beside none at all
    assert table.loc["known", "auroc"] == 1
    assert table.loc["known", "auroc_difference"] == pytest.approx(1 - table.loc["tiny", "auroc"])
    rows = results.predictions
    rows = rows[(rows["split"] == "test") & (rows["head"] == "output")].set_index(["id", "class"])
    for seed in (0, 1):
        own, of = (rows[(rows["variant"] == name) & (rows["seed"] == seed)]["score"] for name in ("both", "tiny"))
        known = rows[rows["variant"] == "known"]["score"]
        np.testing.assert_allclose(own, (of.loc[own.index] + known.loc[own.index]) / 2)


def test_models_alone_are_weighted_on_their_validation_split(squares: Path) -> None:
    tables = {**beside(pair={"of": ["tiny", "wide"], "weights": "fit"}), "external": {}}
    tables["variants"] = {"tiny": {}, "wide": {"model": {"width": 6}}}
    plan, outcome = trained(tables, squares)
    assert outcome.exit_code == 0, outcome.message
    results = found(plan, squares)
    pair = [record for record in results.records() if record.spec.variant == "pair"]
    said = [json.loads((results.folder / "trials" / r.spec.id / "ensemble.json").read_text()) for r in pair]
    assert [item["fitted_on"] for item in said] == ["val", "val"]
    assert set(results.predictions[results.predictions["variant"] == "pair"]["split"]) == {"val", "test"}


def test_a_bad_table_is_told_before_anything_is_trained(squares: Path) -> None:
    table = pd.read_csv(squares / "y.csv")
    table.iloc[1:].to_csv(squares / "y.csv", index=False)
    plan, outcome = run(beside(), squares, NoTuner(), OptunaSampler(f"sqlite:///{squares / 'optuna.db'}"))
    assert outcome.exit_code == 2
    assert outcome.message == "y.csv, known: test: not the rows of the data set (16): lacks 1 id (test0)"


def test_an_average_with_a_failed_member_fails_with_its_reason(squares: Path) -> None:
    tables = beside(both={"of": ["tiny", "known"]})
    tables["model"] = {"use": "tiny_cnn", "fault": "nan"}
    plan, outcome = trained(tables, squares)
    assert outcome.exit_code == 1 and set(outcome.reasons) == {"tiny", "both"}
    assert outcome.reasons["both"].startswith("its member 'tiny' failed: ")
    assert found(plan, squares).variants["variant"].tolist() == ["known"]
