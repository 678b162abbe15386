"""`[confirm] label_control`: the baseline's best configuration on shuffled labels, once, apart from its own rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.adapters.inline import InlineTuner
from harness.adapters.optuna.search import OptunaSampler
from harness.config.settings import Settings
from harness.contract.types import TrialResult, TrialSpec
from harness.study.results.results import read_results
from harness.study.run import policy
from harness.study.run.driver import Driver
from harness.study.run.policy import Done, Start
from harness.study.run.recorder import Recorder
from harness.study.run.run import run_study
from harness.study.run.tuning import Configuration
from harness.testing.fakes import tiny_catalog
from harness.testing.scripted import scripted_plan
from tests.harness.study.installed_metrics import catalog_with_metrics

ASKED = {"seeds": [3, 4], "label_control": True}


class Fixed:
    """A sampler for variants without anything to search."""

    def sync(self, plan: Any, state: Any) -> None:
        pass

    def ask(self, variant: Any, number: int, params: Any = None) -> Configuration:
        return Configuration(variant.tree, {})

    def tell(self, record: Any) -> None:
        pass

    def states(self, variant_id: str) -> dict[int, str]:
        return {}


def drive(plan: Any, folder: Path, most: int = 99) -> tuple[Driver, list[TrialSpec]]:
    driver = Driver(plan, Fixed(), Recorder(folder, folder / "ledger.jsonl"))
    driver.recorder.load()
    driver.open()
    handed: list[TrialSpec] = []
    while len(handed) < most and isinstance(step := driver.next(), Start):
        handed.append(step.spec)
        driver.report(step.spec.id, TrialResult(state="complete", value=0.5, epochs=1), lambda *_: False)
    assert len(handed) == most or driver.next() == Done()
    driver.close()
    return driver, handed


def test_the_baseline_alone_is_trained_once_more_on_shuffled_labels_and_comes_last(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {}, "b": {}}, baseline="b", confirm=ASKED)
    driver, handed = drive(plan, tmp_path)
    controls = [spec for spec in handed if spec.stage == "control"]
    assert controls == handed[-1:] and policy.is_complete(driver.plan, driver.state)
    control = controls[0]
    assert (control.variant, control.seed, control.tree["train"]["shuffle_labels"]) == ("b", 3, True)
    assert control.id.endswith("-control-0") and not any("shuffle_labels" in s.tree["train"] for s in handed[:-1])


def test_without_being_asked_for_there_is_none(tmp_path: Path) -> None:
    _, handed = drive(scripted_plan({"a": {}}), tmp_path)
    assert {spec.stage for spec in handed} == {"search", "confirm"}


def test_a_finished_study_that_asks_later_runs_the_floor_alone(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {}}, confirm={"seeds": [3, 4]})
    drive(plan, tmp_path)
    driver, handed = drive(replace(plan, confirm=ASKED), tmp_path)
    assert [spec.stage for spec in handed] == ["control"] and policy.is_complete(driver.plan, driver.state)
    assert drive(replace(plan, confirm=ASKED), tmp_path)[1] == []


def test_a_run_cut_off_before_the_floor_goes_on_with_it(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {}}, confirm=ASKED)
    before, _ = drive(plan, tmp_path, most=3)
    assert not policy.is_complete(before.plan, before.state)
    assert [spec.stage for spec in drive(plan, tmp_path)[1]] == ["control"]


def test_asking_for_it_changes_no_id_and_is_priced(planner: Any) -> None:
    from harness.cli.views.variants import trials_of

    before, after = (
        planner.plan(),
        planner.plan(planner.replaced(("seeds = [0, 1]", "seeds = [0, 1]\nlabel_control = true"))),
    )
    assert after.study_id == before.study_id
    assert [variant.id for variant in after.variants] == [variant.id for variant in before.variants]
    assert "label_control" not in before.confirm and after.confirm["label_control"] is True
    assert [trials_of(after, variant)[1] for variant in after.variants] == [3, 2, 2]  # plain is the baseline


def test_its_tables_stand_beside_the_variants_and_never_among_them(tmp_path: Path) -> None:
    confirm = {"seeds": [0], "label_control": True}
    plan = scripted_plan({"a": {"use": "tiny_cnn"}}, trials=1, epochs=2, confirm=confirm)
    settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache", device="cpu")
    folder = settings.results / plan.directory
    folder.mkdir(parents=True)
    sampler = OptunaSampler(f"sqlite:///{folder / 'optuna.db'}")
    assert run_study(plan, settings, tiny_catalog(), InlineTuner(), sampler).exit_code == 0
    found = read_results(folder, catalog_with_metrics())
    assert set(found.trials["stage"]) == {"search", "confirm", "control"}
    assert set(found.predictions["variant"]) == {"a"} == set(found.maps["variant"]) == set(found.variants["variant"])
    for table in (found.localisation, found.classification):
        assert set(table["variant"]) == {"a", "control:shuffled_labels"}
    assert set(found.localisation["map"]) == {"native"}  # no metric of maps was asked for
    assert len(found.lesions) and len(found.candidates) and found.layers.empty
    assert found.reliability["count"].sum() > 0
