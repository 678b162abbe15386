"""MLflow's SQLite file is there whole or not at all, whoever makes it and whatever dies meanwhile."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import harness.study.journal.journal as kinds
from harness.adapters.mlflow import store as mlflow_store
from harness.adapters.mlflow.client import connect
from harness.adapters.mlflow.database import database_id
from harness.adapters.mlflow.store import MlflowObserver, Sender, unsent
from harness.study.journal.journal import Journal
from harness.study.journal.plan_io import plan_to_json
from harness.testing.scripted import scripted_plan

# MLflow's own queries use an option that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

CONNECT = """
import sys
from harness.adapters.mlflow.client import connect
client = connect(sys.argv[1])
client.create_experiment(sys.argv[2])
"""


def start(path: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CONNECT, f"sqlite:///{path}", name], stderr=subprocess.PIPE)


def half_made(path: Path) -> None:
    """What a kill in the middle of MLflow's migrations leaves: tables, a half copied one, and no experiment."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE experiments (experiment_id INTEGER); CREATE TABLE runs (run_uuid TEXT);"
            "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE _alembic_tmp_model_versions (name TEXT);"
        )


def begin(folder: Path, study: Path) -> Journal:
    plan = scripted_plan({"a": {"name": "x"}}, dataset_digest="d" * 64)
    journal = Journal(folder / "journal.jsonl")
    tree = json.loads(plan_to_json(plan)) | {"path": str(study)}
    journal.append(kinds.STUDY_STARTED, plan=tree, attempt=1, pid=1, host="h")
    return journal


@pytest.mark.slow
def test_four_processes_on_one_new_file_all_get_through(tmp_path: Path) -> None:
    processes = [start(tmp_path / "mlflow.db", f"experiment {number}") for number in range(4)]
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
    names = {item.name for item in connect(f"sqlite:///{tmp_path / 'mlflow.db'}").search_experiments()}
    assert names == {"Default", *(f"experiment {number}" for number in range(4))}


def test_a_kill_while_the_schema_is_made_costs_nothing(tmp_path: Path) -> None:
    path, making = tmp_path / "mlflow.db", tmp_path / "mlflow.db.new"
    with start(path, "killed") as process:
        end = time.monotonic() + 120
        while not (making.exists() and making.stat().st_size):
            assert time.monotonic() < end and process.poll() is None, "it never began"
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it was too quick to be killed"
    assert not path.exists()
    assert [item.name for item in connect(f"sqlite:///{path}").search_experiments()] == ["Default"]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]


def test_a_half_made_database_is_set_aside_and_reported(
    tmp_path: Path, migrated_mlflow: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("harness.adapters.mlflow.database._make", lambda path: shutil.copy(migrated_mlflow, path))
    path = tmp_path / "mlflow.db"
    half_made(path)
    with caplog.at_level(logging.WARNING):
        client = connect(f"sqlite:///{path}")
    assert [item.name for item in client.search_experiments()] == ["Default"]
    assert (tmp_path / "mlflow.db.half-made.1").exists()
    (message,) = [record.message for record in caplog.records if record.name.startswith("harness")]
    assert (
        message == f"{path}: incomplete, as its process ended early; renamed to mlflow.db.half-made.1 "
        "and created again from the journals"
    )


def test_a_database_that_holds_a_run_is_never_set_aside(tmp_path: Path) -> None:
    half_made(tmp_path / "mlflow.db")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute("INSERT INTO runs VALUES ('precious')")
    with pytest.raises(Exception, match="no such column"):
        connect(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert sorted(item.name for item in tmp_path.glob("*half-made*")) == []


def test_what_was_sent_to_a_database_now_gone_is_sent_again(tmp_path: Path, mlflow_uri: str) -> None:
    folder, path = tmp_path / "scripted" / "quick", tmp_path / "mlflow.db"
    begin(folder, tmp_path / "scripted.toml")
    sender = Sender(mlflow_uri, folder, tmp_path / "mlartifacts")
    sender.send()
    sender.close()
    assert unsent(mlflow_uri, folder) == 0
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {(database_id(path) or 0) + 1}")
    assert unsent(mlflow_uri, folder) == 1
    path.unlink()
    assert unsent(mlflow_uri, folder) == 1


def test_closing_waits_for_a_database_that_is_being_made(
    tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"

    def slow(uri: str) -> object:
        begun.touch()
        time.sleep(1)
        return connect(uri)

    monkeypatch.setattr(mlflow_store, "connect", slow)
    journal = begin(tmp_path / "scripted" / "quick", tmp_path / "scripted.toml")
    observer = MlflowObserver(Sender(mlflow_uri, tmp_path / "scripted" / "quick", tmp_path / "mlartifacts"))
    for event in journal.read():
        observer.event(event)
    while not begun.exists():
        time.sleep(0.01)
    started = time.monotonic()
    observer.close(timeout_s=0.0)
    assert time.monotonic() - started > 0.5


def test_a_run_has_the_commit_of_its_study(tmp_path: Path, mlflow_uri: str) -> None:
    here = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    (tmp_path / "scripted.toml").write_text("")
    for command in (
        ["init", "-q"],
        ["add", "scripted.toml"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, env=here)
    commit = subprocess.run(
        ["git", "-C", str(tmp_path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    folder = tmp_path / "scripted" / "quick"
    begin(folder, tmp_path / "scripted.toml")
    sender = Sender(mlflow_uri, folder, tmp_path / "mlartifacts")
    sender.send()
    sender.close()
    client = connect(mlflow_uri)
    (run,) = client.search_runs([client.get_experiment_by_name("scripted").experiment_id], "tags.stage = 'study'")
    assert run.data.tags["mlflow.source.git.commit"] == commit.stdout.strip()
