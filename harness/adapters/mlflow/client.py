"""Connection to MLflow's tracking store, within the limits of its client."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.mlflow.database import locked_database
from harness.config.database_urls import sqlite_file
from harness.contract.errors import MachineError
from harness.contract.files import plain_name

if TYPE_CHECKING:
    from mlflow.entities import Metric, Param, Run, RunTag
    from mlflow.tracking import MlflowClient

# One call to a dead server blocked 246 s with MLflow's own defaults: they are set before its import.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_BATCH = {"metrics": 1000, "params": 100, "tags": 100}
_KEY_BYTES = 250
_VALUE_CHARACTERS = {"params": 6000, "tags": 8000}


def connect(uri: str) -> MlflowClient:
    """Return a client whose database exists and is migrated.

    An SQLite file is created completely first, which takes MLflow some seconds; see `database.locked_database`.

    Raises:
        MlflowException: the database cannot be opened. A server is not contacted before the first call.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow.store.db.utils", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)  # their messages would break the live display
    path = sqlite_file(uri)
    if path is None:
        return MlflowClient(tracking_uri=uri)
    with locked_database(path):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Return the id of the experiment; create it if it is missing, restore it if it is deleted.

    `artifacts` is the URI of the folder for its files; None leaves the choice to the server.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def runs(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> Iterator[Run]:
    """Yield every run that is not deleted and has all these tags."""
    wanted = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
    token = None
    while True:
        page = client.search_runs([experiment_id], wanted, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def tags_of(uri: str, run_id: str) -> dict[str, str]:
    """Return the tags of a run; none if the store has no such run or does not exist yet."""
    path = sqlite_file(uri)
    if path is not None and not path.exists():
        return {}
    client = connect(uri)
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_run(run_id).data.tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise MachineError(f"the tracking store cannot be read: {in_brief(error)}") from error
        return {}


def log(
    client: MlflowClient,
    run_id: str,
    *,
    metrics: Sequence[Metric] = (),
    params: Sequence[Param] = (),
    tags: Sequence[RunTag] = (),
) -> None:
    """Write values with as few calls of `log_batch` as its limits allow."""
    parts: dict[str, Sequence[Any]] = {"metrics": metrics, "params": params, "tags": tags}
    start = 0
    while any(start * _BATCH[kind] < len(items) for kind, items in parts.items()):
        cut = {kind: items[start * _BATCH[kind] : (start + 1) * _BATCH[kind]] for kind, items in parts.items()}
        client.log_batch(run_id, **cut)
        start += 1


def key(name: str) -> str:
    """Return a name that MLflow allows: letters, digits, `_ - . : /` and blanks; different names stay different."""
    return plain_name(name, r"\w\-. :/", _KEY_BYTES)


def cut(kind: str, value: Any) -> str:
    """Return a value as text within MLflow's limit; a cut text ends with "…"."""
    text, most = str(value), _VALUE_CHARACTERS[kind]
    return text if len(text) <= most else text[: most - 1] + "…"


def in_brief(error: BaseException) -> str:
    """Return the cause of a failed access to the store in one short line; MLflow wraps it in several errors."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        cause = cause.__cause__ or cause.__context__
    line = f"{type(error).__name__}: {error}".splitlines()[0]
    return line if len(line) <= 120 else line[:119] + "…"


def address(uri: str, folder: Path) -> str:
    """Return a short name for a URI; it does not reveal a password.

    An SQLite file is named by its path relative to `folder`, so that results which are moved or copied together with
    their database are not sent again.
    """
    path = sqlite_file(uri)
    if path is not None:
        uri = os.path.relpath(path, folder)
    return hashlib.sha256(uri.encode()).hexdigest()[:16]
