"""An SQLite file for MLflow that is either complete or absent, with an id that a new one does not share.

MLflow creates its schema in some sixty steps that take seconds and are not a transaction. A process that dies in
between, or creates it at the same time as another process, leaves a file that MLflow can never open again.
"""

from __future__ import annotations

import glob
import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from filelock import FileLock

_log = logging.getLogger(__name__)
_KEPT = {"experiments", "runs", "_alembic_tmp_experiments", "_alembic_tmp_runs"}
"""Tables of MLflow that hold data, also while a migration copies them."""


@contextmanager
def locked_database(path: Path) -> Iterator[None]:
    """Hold the lock of the database, which is complete while the block runs.

    An incomplete file, which holds no data yet, is renamed first, with a warning.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if path.exists() and path.stat().st_size and not _finished(path):
            aside = _free_name(path)
            path.rename(aside)
            _log.warning(
                "%s: incomplete, as its process ended early; renamed to %s and created again from the journals",
                path,
                aside.name,
            )
        if not path.exists() or not path.stat().st_size:
            _make(path)
        yield


def database_id(path: Path) -> int | None:
    """Return the id of the database; None if there is none, 0 if harness did not create it.

    The id is stored in the file, as SQLite's `user_version`, and stays with it when it is moved or copied. A database
    that replaces another has another id.
    """
    if not path.exists():
        return None
    with closing(_open(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def _make(path: Path) -> None:
    """Let MLflow create its schema in another file, and put a copy in place in one step.

    MLflow keeps connections to the file that it created, hence the copy.
    """
    from mlflow.tracking import MlflowClient

    made, copy = Path(f"{path}.new"), Path(f"{path}.new-whole")
    for left in path.parent.glob(f"{glob.escape(made.name)}*"):  # also SQLite's journal of a killed process
        left.unlink()
    MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
    with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute(f"PRAGMA user_version = {secrets.randbelow(2**31 - 1) + 1}")
    os.replace(copy, path)
    made.unlink()


def _finished(path: Path) -> bool:
    """Return True if MLflow finished creating the file: an experiment always exists then.

    A file that is no MLflow database counts as finished, since MLflow reports it. So does every file that holds a run.
    """
    try:
        with closing(_open(path)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            kept = tables & _KEPT
            return not kept or any(database.execute(f"SELECT 1 FROM {name}").fetchone() for name in kept)
    except sqlite3.DatabaseError:
        return True


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=30)


def _free_name(path: Path) -> Path:
    number = 1
    while (target := path.with_name(f"{path.name}.half-made.{number}")).exists():
        number += 1
    return target
