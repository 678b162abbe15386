"""A file in `plugins/` is a plugin once the user trusts it, and only commands that need components run it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.api.plan import plan
from harness.api.session import Session
from harness.cli.app import App
from harness.cli.main import build_cli
from harness.config.trust import refusal, trust
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.error_origin import raised_in
from harness.contract.loading.single_files import find_files, load_files, read_file, run_file
from harness.study.results.results import task_of
from harness.testing.fakes import tiny_spec

SOURCE = """
from pathlib import Path
from harness import Component, Dataset, Sample, Task, hookimpl

Path(FOLDER, "executed").touch()


class Dots(Dataset):
    digest = "dots 1"

    def __init__(self, task):
        self.task = task

    def split(self, name):
        return [Sample(id=f"{name}{n}", group=f"{name}{n}", unit=f"{name}{n}", labels=(n % 2,)) for n in range(4)]

    def read(self, sample):
        raise NotImplementedError("no image is decoded here")


def dots_task(**_):
    return Task(classes=("dot",), image_size=(64, 48))


def build_dots(root: Path, /) -> Dataset:
    return Dots(dots_task())


def build_stumbling(features: int, outputs: int, /, *, power: float = 2.0) -> object:
    raise RuntimeError("it stumbles")


@hookimpl
def harness_datasets():
    yield Component(name="dots", build=build_dots, summary="dots", task=dots_task)


@hookimpl
def harness_poolings():
    yield Component(name="stumbling", build=build_stumbling, summary="stumbles")
"""
STUDY = {
    "study": {"name": "dotty"},
    "dataset": {"use": "dots"},
    "model": {"use": "cnn", "pooling": {"use": "stumbling"}, "backbone": {"use": "resnet22", "stride": 8, "width": 2}},
    "variants": {"one": {}},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a plugin that leaves a trace when it is run."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    for name in ("plugins", "studies"):
        (tmp_path / name).mkdir()
    (tmp_path / "plugins" / "mine.py").write_text(SOURCE.replace("FOLDER", repr(str(tmp_path))))
    (tmp_path / "plugins" / "_helper.py").write_text("raise SystemExit('a file that begins with _ is no plugin')\n")
    lines = ['[dataset]\nuse = "dots"', '[model]\nuse = "cnn"\npooling = { use = "stumbling" }', "[variants.one]"]
    (tmp_path / "studies" / "dotty.toml").write_text("\n".join(lines))
    return tmp_path


def harness(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(build_cli(App(folder)), arguments)


def was_run(folder: Path) -> bool:
    return (folder / "executed").exists()


def test_a_file_that_is_not_trusted_is_not_run_and_the_way_to_trust_it_is_shown(folder: Path) -> None:
    done = harness(folder, "study", "plan", "dotty")
    assert done.exit_code == 2 and not was_run(folder)
    assert "harness plugin trust plugins/mine.py" in " ".join(done.output.replace("│", " ").split())


def test_trusting_a_file_does_not_run_it(folder: Path) -> None:
    done = harness(folder, "plugin", "trust", "plugins/mine.py", "--json")
    assert json.loads(done.stdout)["digest"] == read_file(folder / "plugins" / "mine.py").digest
    assert (folder / "config" / "harness" / "trusted_plugins.json").is_file() and not was_run(folder)


@pytest.mark.parametrize("command", [["--help"], ["study", "list"], ["plugin", "list"], ["study", "show", "dotty"]])
def test_commands_that_need_no_component_do_not_run_a_trusted_file(folder: Path, command: list[str]) -> None:
    trust(read_file(folder / "plugins" / "mine.py"))
    harness(folder, *command)
    assert not was_run(folder)


def test_a_trusted_file_is_planned_and_a_changed_one_is_refused(folder: Path) -> None:
    trust(read_file(folder / "plugins" / "mine.py"))
    made = plan(STUDY)
    assert was_run(folder) and made.plugins["mine.py"] == "file"
    (folder / "plugins" / "mine.py").write_text((folder / "plugins" / "mine.py").read_text() + "\n")
    session = Session.of(files=True)
    assert "changed since you trusted it" in session.catalog.broken[0].reason
    assert session.catalog.address("dataset", "dots") is None


def test_its_results_are_read_without_running_it(folder: Path) -> None:
    trust(read_file(folder / "plugins" / "mine.py"))
    made = plan(STUDY)
    assert task_of(made, Session.of().catalog) == task_of(made, Session.of(files=True).catalog)


def test_a_worker_runs_the_text_that_it_is_given_and_errors_name_the_file_and_line(folder: Path) -> None:
    path = folder / "plugins" / "mine.py"
    file = pickle.loads(pickle.dumps(read_file(path)))
    path.unlink()
    catalog = Catalog()
    run_file(catalog, file)
    with pytest.raises(RuntimeError, match="it stumbles") as caught:
        catalog.build("pooling", "stumbling", 1, 1)
    assert raised_in(caught.value, catalog).startswith("mine.py:") and "mine (mine.py file)" in raised_in(
        caught.value, catalog
    )


def test_a_file_that_cannot_be_run_is_named_and_stops_nothing(folder: Path) -> None:
    (folder / "plugins" / "other.py").write_text("import no_such_library\n")
    for path in find_files(folder):
        trust(read_file(path))
    catalog = Catalog()
    load_files(catalog, find_files(folder), refusal)
    assert [item.provider.plugin for item in catalog.broken] == ["other"]
    assert catalog.names("pooling") == ["stumbling"]


def test_the_list_names_the_files_and_whether_they_are_trusted(folder: Path) -> None:
    def listed() -> str:
        (item,) = json.loads(harness(folder, "plugin", "list", "pooling", "--json").stdout)["files"]
        assert item["file"] == str(folder / "plugins" / "mine.py")
        return str(item["refused"])

    assert "is not trusted" in listed()
    trust(read_file(folder / "plugins" / "mine.py"))
    assert listed() == "" and not was_run(folder)


def test_a_file_may_be_disabled(folder: Path) -> None:
    trust(read_file(folder / "plugins" / "mine.py"))
    (folder / "harness.toml").write_text('[plugins]\ndisabled = ["mine"]\n')
    assert Session.of(files=True).catalog.files == {} and not was_run(folder)


def test_ray_hands_the_text_of_a_file_to_its_workers(folder: Path) -> None:
    from harness.adapters.ray.trainable import HarnessTrainable
    from harness.adapters.ray.tuner import RayTuner

    path = folder / "plugins" / "mine.py"
    job = RayTuner(files=(read_file(path),))._job | {"workspace": {"checkpoints": None, "data": "", "cache": ""}}
    path.unlink()
    worker = HarnessTrainable.__new__(HarnessTrainable)
    worker._catalog = None
    started, result = worker._run(tiny_spec(plugins={"mine.py": "file"}), json.loads(json.dumps(job)))
    assert was_run(folder) and worker._catalog.names("pooling").count("stumbling") == 1
    assert "no dataset named 'squares'" in str(result), "the versions of the plan are accepted, and the trial begins"
