"""The MLflow runs of a study under the names of harness; existing runs are used again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from harness.adapters.mlflow.client import cut, experiment, key, log, runs

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY, MARK = "harness.key", "harness.journal"
PARENT = "mlflow.parentRunId"


@dataclass
class _Pending:
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)


class Runs:
    """The runs of one journal.

    A run's name here is "study", a variant's id or a trial's id. Values given to `note` are written by `flush`, and
    before a run is ended.
    """

    def __init__(self, client: MlflowClient, study: str, mark: str, artifacts: str | None) -> None:
        self._client, self._mark = client, mark
        self._experiment = experiment(client, study, f"{artifacts}/{study}" if artifacts else None)
        self._ids: dict[str, str] = {}
        self._pending: dict[str, _Pending] = {}
        self._bare: set[str] = set()  # created by a process that was killed before it wrote their parameters
        for run in runs(client, self._experiment, {MARK: mark}):
            self._ids[run.data.tags[KEY]] = run.info.run_id
            if not run.data.params:
                self._bare.add(run.data.tags[KEY])

    def make(self, name: str, title: str, time_s: float, parent: str | None, tags: Mapping[str, Any]) -> bool:
        """Create the run unless it exists; return True if its parameters and data must still be noted."""
        if name in self._ids:
            if name not in self._bare:
                return False
            self._bare.remove(name)
            self.revive(name)
            return True
        text = {key(tag): cut("tags", value) for tag, value in tags.items()} | {KEY: name, MARK: self._mark}
        if parent:
            text[PARENT] = self._ids[parent]
        made = self._client.create_run(self._experiment, start_time=_ms(time_s), tags=text, run_name=title)
        self._ids[name] = made.info.run_id
        return True

    def note(
        self,
        name: str,
        time_s: float = 0.0,
        step: int = 0,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Keep values for the next flush; metrics are at `time_s` and `step`."""
        pending = self._pending.setdefault(name, _Pending())
        pending.metrics += [(key(metric), float(value), _ms(time_s), step) for metric, value in (metrics or {}).items()]
        pending.params.update(params or {})
        pending.tags.update(tags or {})

    def flush(self, *names: str) -> None:
        """Write the kept values of these runs, or of all runs."""
        from mlflow.entities import Metric, Param, RunTag

        for name in names or tuple(self._pending):
            pending = self._pending.pop(name, _Pending())
            log(
                self._client,
                self._ids[name],
                metrics=[Metric(*item) for item in pending.metrics],
                params=[Param(key(param), cut("params", value)) for param, value in pending.params.items()],
                tags=[RunTag(key(tag), cut("tags", value)) for tag, value in pending.tags.items()],
            )

    def end(self, name: str, status: str, time_s: float) -> None:
        """Write the kept values and end the run as FINISHED, FAILED or KILLED."""
        self.flush(name)
        self._client.set_terminated(self._ids[name], status, end_time=_ms(time_s))

    def revive(self, name: str) -> None:
        """Set an ended run to RUNNING again."""
        self._client.update_run(self._ids[name], status="RUNNING")

    def dataset(self, name: str, title: str, digest: str, source: str, schema: str, profile: str) -> None:
        """Link the data set to the run, at most once."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(title, digest[:36] or "unknown", "harness", source, schema, profile)
        self._client.log_inputs(self._ids[name], [DatasetInput(data, [InputTag("mlflow.data.context", "study")])])

    def text(self, name: str, text: str, file: str) -> None:
        """Store a text as an artifact."""
        self._client.log_text(self._ids[name], text, file)

    def file(self, name: str, path: Path, folder: str = "") -> None:
        """Store a file as an artifact: linked if the store is on the same disk, else copied or uploaded."""
        root = urlparse(self._client.get_run(self._ids[name]).info.artifact_uri)
        if root.scheme != "file":
            self._client.log_artifact(self._ids[name], str(path), folder or None)
            return
        target = Path(url2pathname(root.path)) / folder / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another disk, or a file system without links
            shutil.copy2(path, target)


def _ms(time_s: float) -> int:
    return round(time_s * 1000)
