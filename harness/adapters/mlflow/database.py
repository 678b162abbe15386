"""An SQLite file for MLflow that is there whole or not at all, and whose remakes can be told apart.

MLflow makes its schema in some sixty steps that take seconds and are no transaction: what dies among them, or makes
them at the same time as another process, leaves a file that MLflow can never open again.
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
"""Where MLflow keeps what it is told, while a migration copies it too."""


@contextmanager
def whole(path: Path) -> Iterator[None]:
    """Holds the database's lock, with a database there that MLflow once finished.

    A half-made one, which holds nothing yet, is set aside first, and that is logged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if path.exists() and path.stat().st_size and not _finished(path):
            aside = _free_name(path)
            path.rename(aside)
            _log.warning(
                "%s: was only half made when its process ended; set aside as %s and made anew from the journals",
                path,
                aside.name,
            )
        if not path.exists() or not path.stat().st_size:
            _make(path)
        yield


def database_id(path: Path) -> int | None:
    """What tells this database from one that stood in its place before; None where there is none, 0 if made elsewhere.

    It is kept inside the file, as SQLite's `user_version`, and so goes with it where it is moved or copied.
    """
    if not path.exists():
        return None
    with closing(_open(path)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def _make(path: Path) -> None:
    """Lets MLflow make its schema in another file, and puts a copy in place at one stroke.

    A copy, because MLflow keeps connections to the file that it made.
    """
    from mlflow.tracking import MlflowClient

    made, copy = Path(f"{path}.new"), Path(f"{path}.new-whole")
    for left in path.parent.glob(f"{glob.escape(made.name)}*"):  # SQLite's own journal of a killed one too
        left.unlink()
    MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
    with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute(f"PRAGMA user_version = {secrets.randbelow(2**31 - 1) + 1}")
    os.replace(copy, path)
    made.unlink()


def _finished(path: Path) -> bool:
    """Whether MLflow came to the last step of making it: the experiment that is always there.

    What is no MLflow database at all is left to MLflow, which says so. Nothing that holds a run counts as half made.
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
