"""Connects to MLflow's tracking store, and knows the few rules of its client. Not what is written there."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.mlflow.database import whole
from harness.config.database_urls import sqlite_file
from harness.contract.errors import MachineError

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
_VALUE_CHARACTERS = {"params": 6000, "tags": 8000}


def connect(uri: str) -> MlflowClient:
    """A client whose database exists and is migrated.

    An SQLite file is made whole first, see `mlflow_database`, which takes MLflow some seconds.

    Raises:
        MlflowException: the database cannot be opened. A server is not asked before the first call.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    for name in ("mlflow.store.db.utils", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)  # their chatter would tear the live display
    path = sqlite_file(uri)
    if path is None:
        return MlflowClient(tracking_uri=uri)
    with whole(path):
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    return client


def experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """The id of the experiment, made where it is absent; a deleted one is restored.

    `artifacts` is the URI of the folder for its files; None leaves it to the server.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def runs(client: MlflowClient, experiment_id: str, tags: Mapping[str, str]) -> Iterator[Run]:
    """Every run that is not deleted and has all these tags."""
    wanted = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
    token = None
    while True:
        page = client.search_runs([experiment_id], wanted, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def tags_of(uri: str, run_id: str) -> dict[str, str]:
    """The tags of one run; none where the store has no such run, or there is no store yet."""
    path = sqlite_file(uri)
    if path is not None and not path.exists():
        return {}
    client = connect(uri)
    from mlflow.exceptions import MlflowException

    try:
        return dict(client.get_run(run_id).data.tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise MachineError(f"the tracking store cannot be asked: {in_brief(error)}") from error
        return {}


def log(
    client: MlflowClient,
    run_id: str,
    *,
    metrics: Sequence[Metric] = (),
    params: Sequence[Param] = (),
    tags: Sequence[RunTag] = (),
) -> None:
    """`log_batch` in as few calls as its limits allow."""
    parts: dict[str, Sequence[Any]] = {"metrics": metrics, "params": params, "tags": tags}
    start = 0
    while any(start * _BATCH[kind] < len(items) for kind, items in parts.items()):
        cut = {kind: items[start * _BATCH[kind] : (start + 1) * _BATCH[kind]] for kind, items in parts.items()}
        client.log_batch(run_id, **cut)
        start += 1


def key(name: str) -> str:
    """A name as MLflow allows it: letters, digits, `_ - . : /` and blanks."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII).strip("/") or "_"


def cut(kind: str, value: Any) -> str:
    """A value as text, no longer than MLflow takes; an end that is missing is marked."""
    text, most = str(value), _VALUE_CHARACTERS[kind]
    return text if len(text) <= most else text[: most - 1] + "…"


def in_brief(error: BaseException) -> str:
    """Why the store could not be written, in one short line: MLflow wraps a refused connection in four errors."""
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
    """A short name for a URI that gives no password away.

    An SQLite file is named by its place relative to `folder`: results that are moved or copied together
    with their database have been sent, wherever they stand.
    """
    path = sqlite_file(uri)
    if path is not None:
        uri = os.path.relpath(path, folder)
    return hashlib.sha256(uri.encode()).hexdigest()[:16]
