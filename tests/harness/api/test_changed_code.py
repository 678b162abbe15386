"""After a plugin's code has changed its results say so, and `anew` trains again what used it, and nothing else."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import harness
from harness import InputError
from harness.api.execution import changed_since
from harness.api.session import Session
from harness.cli.app import App
from harness.cli.main import build_cli
from harness.contract.errors import MachineError
from harness.contract.provider import Provider
from harness.study.journal.folders import read_state
from tests.harness.api.test_api import session_in, tables

NET = """
from harness import Component, hookimpl

def build_net(task, /, *, width: int = 4):
    from harness.testing.fakes import build_tiny_cnn

    return build_tiny_cnn(task, width=width)

@hookimpl
def harness_architectures():
    yield Component(name="acme_net", build=build_net, summary="of the test", provides=frozenset({"saliency"}))
"""


def study() -> dict[str, Any]:
    found = tables()
    model = {"use": "acme-file:acme_net"}
    return {**found, "variants": {"narrow": {}, "acme": {"model": model}}}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "acme_file.py"
    path.write_text(NET)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    sys.modules.pop("acme_file", None)


@pytest.fixture
def session(tmp_path: Path, migrated_mlflow: Path, file: Path) -> Session:
    found = session_in(tmp_path, migrated_mlflow)
    found.catalog.register(importlib.import_module("acme_file"), Provider("acme_file", "acme-file", "0.1.0"))
    return found


def trained(session: Session) -> dict[str, list[str]]:
    """Return the ids of every ended trial in the journal, by variant."""
    plan = harness.plan(study(), session=session)
    found: dict[str, list[str]] = {}
    for record in read_state(session.settings.results / plan.directory).trials.values():
        if record.result:
            found.setdefault(record.spec.variant, []).append(record.spec.id)
    return found


def command(session: Session, folder: Path, *arguments: str) -> str:
    """Return what a command prints on both streams, in the folder of the session."""
    app = App(folder)
    app.catalog = session.catalog
    return CliRunner().invoke(build_cli(app), arguments).output


def test_a_change_is_said_and_anew_trains_what_uses_it(session: Session, file: Path) -> None:
    first = harness.run(study(), tuner="inline", session=session)
    before = trained(session)
    assert {name: len(ids) for name, ids in before.items()} == {"narrow": 2, "acme": 2}
    assert not changed_since(first.plan, session)

    file.write_text(NET.replace("width=width", "width=width + 1"))
    changed = changed_since(first.plan, session)
    assert changed.says == "acme-file 0.1.0: code changed since this run"
    assert changed.offer.startswith("`--anew` trains acme again (2 trials that took ")
    again = harness.run(study(), tuner="inline", session=session)
    assert trained(session) == before  # nothing is trained unasked
    assert "code changed since this run" in harness.report(again, session=session).read_text()
    shown = command(session, file.parent, "study", "show", "tiny")
    assert "acme-file 0.1.0: code changed since this run; `--anew` trains acme again (2 trials" in shown

    anew = harness.run(study(), tuner="inline", anew=True, session=session)
    after = trained(session)
    assert after["narrow"] == before["narrow"] and len(after["acme"]) == 4
    assert anew.folder == first.folder and anew.finished and list(anew.variants["variant"]) == ["narrow", "acme"]
    assert not changed_since(anew.plan, session)
    assert "code changed since" not in harness.report(anew, session=session).read_text()
    assert harness.run(study(), tuner="inline", session=session).plan.variants == anew.plan.variants
    assert trained(session) == after


def test_a_change_while_a_study_runs_pauses_it_until_it_is_undone_or_trained_anew(
    session: Session, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.study.run.recorder import Recorder

    finished, mended = Recorder.finished, NET.replace("width=width", "width=width + 1")

    def edit_after_the_first(self: Recorder, trial: str, result: Any) -> Any:
        file.write_text(mended)
        return finished(self, trial, result)

    monkeypatch.setattr(Recorder, "finished", edit_after_the_first)
    with pytest.raises(MachineError, match="acme-file: code changed while the study was running"):
        harness.run(study(), tuner="inline", session=session)
    monkeypatch.setattr(Recorder, "finished", finished)
    with pytest.raises(InputError, match="Or undo the change, and the run continues"):
        harness.run(study(), tuner="inline", session=session)
    file.write_text(NET)
    assert harness.run(study(), tuner="inline", session=session).finished


def test_a_digest_enters_the_trials_and_no_identity(session: Session, file: Path) -> None:
    plan = harness.plan(study(), session=session)
    narrow, acme = plan.variants
    assert narrow.code == {} and list(acme.code) == ["acme-file"]
    file.write_text(NET.replace("width=width", "width=3"))
    later = harness.plan(study(), session=session)
    assert [item.id for item in later.variants] == [narrow.id, acme.id] and later.variants[1].code != acme.code
    assert replace(later.variants[1], code=acme.code) == acme
