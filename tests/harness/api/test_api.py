"""The Python API: the same functions that the commands call, typed, with results as data frames."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.api.session import Session
from harness.config.settings import load_settings
from harness.study.results.results import Results
from harness.testing.fakes import tiny_catalog

TABLES = """
[study]
name = "tiny"
question = "Does <width> matter?"
baseline = "narrow"
metrics = ["auroc"]

[dataset]
use = "squares"
images = 12

[train]
epochs = 1
batch_size = 8

[model]
use = "tiny_cnn"
width = 4

[search]
trials = 1
sampler = { use = "random" }
pruner = { use = "none" }

[confirm]
seeds = [0]

[explain]
use = []

[variants.narrow]
[variants.wide.model]
width = 8
"""


def tables(name: str = "tiny") -> dict[str, Any]:
    found = tomllib.loads(TABLES)
    return {**found, "study": {**found["study"], "name": name}}


def session_in(folder: Path, mlflow: Path) -> Session:
    (folder / "results").mkdir()
    shutil.copy(mlflow, folder / "results" / "mlflow.db")
    return Session(load_settings(folder), tiny_catalog())


@dataclass(frozen=True)
class Ran:
    """A finished study in a folder of its own."""

    session: Session
    results: Results


@pytest.fixture
def session(tmp_path: Path, migrated_mlflow: Path) -> Session:
    return session_in(tmp_path, migrated_mlflow)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, migrated_mlflow: Path) -> Ran:
    own = session_in(tmp_path_factory.mktemp("user"), migrated_mlflow)
    return Ran(own, harness.run(tables(), tuner="inline", session=own))


def test_a_dict_is_planned_run_and_resumed_as_a_file_is(ran: Ran) -> None:
    assert ran.results.finished and list(ran.results.variants["variant"]) == ["narrow", "wide"]
    assert (ran.results.folder / "report" / "report.html").exists()
    before = (ran.results.folder / "journal.jsonl").read_bytes()
    again = harness.run(tables(), tuner="inline", session=ran.session)
    assert again.folder == ran.results.folder
    assert (ran.results.folder / "journal.jsonl").read_bytes() == before


def test_a_dict_and_a_file_of_the_same_tables_are_one_study(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TABLES.replace('name = "tiny"', ""))
    assert harness.plan(path, session=session).study_id == harness.plan(tables(), session=session).study_id


def test_results_are_found_by_name_and_by_folder_from_anywhere(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = Session(load_settings(tmp_path), tiny_catalog())
    assert harness.results("tiny", session=ran.session).folder == ran.results.folder
    for folder in (ran.results.folder, ran.results.folder.parent, str(ran.results.folder)):
        assert harness.results(folder, session=elsewhere).variants.equals(ran.results.variants)


def test_the_report_is_written_where_the_results_are(ran: Ran, tmp_path: Path) -> None:
    elsewhere = Session(load_settings(tmp_path), tiny_catalog())
    path = harness.report(ran.results.folder, session=elsewhere)
    assert path == ran.results.folder / "report" / "report.html" and "width" in path.read_text()
    assert not (tmp_path / "results").exists()


def test_overrides_are_a_dict_or_the_arguments_of_set(session: Session) -> None:
    changed = {"train.epochs": 3, "wide.train.lr": {"log10": [-4, -2]}, "train.augment": ["flip"]}
    texts = ["train.epochs=3", "wide.train.lr={log10 = [-4, -2]}", 'train.augment=["flip"]']
    by_dict = harness.plan(tables(), overrides=changed, session=session)
    assert by_dict.study_id == harness.plan(tables(), overrides=texts, session=session).study_id
    assert by_dict.tree["train"]["epochs"] == 3


def test_studies_are_compared_by_name_by_folder_and_as_results(ran: Ran) -> None:
    other = harness.run(tables("other"), tuner="inline", session=ran.session)
    joined = harness.compare(["tiny", other.folder], session=ran.session)
    assert set(joined.differences["variant"]) == {"narrow", "wide"}
    assert harness.compare([ran.results, other], session=ran.session).differences["study"].nunique() == 2


def test_objects_are_short_in_a_notebook_and_show_tables(ran: Ran) -> None:
    plan = harness.plan(tables(), session=ran.session)
    assert repr(plan) == f"<Plan tiny/{plan.directory.partition('/')[2]}: 2 variants>"
    assert len(repr(ran.results)) < 120 and "4 trials ended, finished" in repr(ran.results)
    page = ran.results._repr_html_()
    assert "Does &lt;width&gt; matter?" in page and "narrow" in page and "data:image/png;base64," in page
    assert "Does &lt;width&gt; matter?" in plan._repr_html_() and "wide" in plan._repr_html_()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda own, _: harness.run("no_such_study", session=own), "no study named 'no_such_study'"),
        (lambda own, _: harness.run({"study": {}}, session=own), "study.name: a study given as a dict needs a name"),
        (lambda own, _: harness.run({**tables(), "trian": {}}, session=own), "tiny: trian: a study has .* 'train'"),
        (lambda own, at: harness.run(at, session=own), "a study is a file that ends in .toml"),
        (lambda own, at: harness.results(at, session=own), "{at}: holds no results of a study"),
        (lambda own, at: harness.results(at / "x", session=own), "{at}/x: there is no such folder"),
        (lambda own, _: harness.results("tiny", session=own), "'tiny' was never run"),
        (lambda own, _: harness.compare(["tiny"], session=own), "'tiny' was never run"),
        (lambda own, _: harness.plan(tables(), overrides="a=1", session=own), "expected a dict or a list"),
        (lambda own, _: harness.plan(tables(), overrides={"a": {1}}, session=own), "a: a set is not allowed"),
        (lambda own, _: harness.run(tables(), concurrent=0, session=own), "concurrent: expected at least 1"),
    ],
)
def test_wrong_input_is_an_input_error_with_its_place(
    call: Any, message: str, session: Session, tmp_path: Path
) -> None:
    with pytest.raises(harness.InputError, match=message.format(at=tmp_path)):
        call(session, tmp_path)


def test_a_failing_variant_is_in_the_results_with_its_reason(session: Session) -> None:
    study = {**tables(), "variants": {"narrow": {}, "wide": {"model": {"fault": "nan"}}}}
    found = harness.run(study, tuner="inline", session=session)
    assert set(found.failures()) == {"wide"} and "failed: wide" in repr(found)


def test_a_time_limit_ends_in_an_interruption_that_the_same_call_resumes(session: Session) -> None:
    with pytest.raises(harness.HarnessError, match="time limit") as caught:
        harness.run(tables(), tuner="inline", time_limit_s=0.0, session=session)
    assert caught.value.exit_code == 130
    assert harness.run(tables(), tuner="inline", session=session).finished


def test_fresh_sets_earlier_results_aside(ran: Ran, tmp_path: Path) -> None:
    shutil.copytree(ran.session.settings.results, tmp_path / "results")
    own = replace(ran.session, settings=replace(ran.session.settings, results=tmp_path / "results"))
    found = harness.run(tables(), tuner="inline", fresh=True, session=own)
    assert found.finished and found.folder.with_name(f"{found.folder.name}.1").is_dir()
