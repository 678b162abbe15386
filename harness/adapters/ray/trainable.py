"""The worker's side of Ray Tune: the generator of a trial behind Ray's class interface, in a reused actor."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from ray.tune import Trainable

from harness.adapters.last_words import LastWords, stall_limit
from harness.adapters.worker import events, load, ready_for_another
from harness.contract.errors import HarnessError
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.single_files import SingleFile, run_file
from harness.contract.types import Epoch, Opening, TrialSpec, Workspace
from harness.study.run.tuning import Report, Started

GROUP_SIGNALS = (signal.SIGTERM, signal.SIGHUP) if sys.platform == "linux" else ()
"""Signals that are blocked for Ray's own processes; see `session`."""


Item = Report | HarnessError


class Message:
    """One item for the driver, which empties it: Ray keeps the last report of every trial, files included."""

    def __init__(self, item: Item) -> None:
        self._item: Item | None = item

    def open(self) -> Item:
        """Return the item; the message is empty afterwards."""
        item, self._item = self._item, None
        assert item is not None
        return item


class HarnessTrainable(Trainable):  # type: ignore[misc]
    """A trainable whose step is one report: the start, then each epoch, an opening of the test split, the result."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the first trial of this actor."""
        if GROUP_SIGNALS:  # so that the worker and the processes that it starts can be ended
            signal.pthread_sigmask(signal.SIG_UNBLOCK, GROUP_SIGNALS)
        self._catalog: Catalog | None = None
        self._words, self._epochs = LastWords(), list[float]()
        self._reports: Generator[Item, None, None] | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin another trial; a pruned one is closed first.

        If CUDA is lost this process ends, and the trial is handed out again to a new one.
        """
        self.cleanup()
        if not ready_for_another():
            os._exit(1)
            return False  # where a test replaces that function
        spec, job = TrialSpec.from_json(new_config["spec"]), new_config["job"]
        self._limits, self._epochs, self._silent = (job["stall_s"], new_config["epoch_s"]), [], False
        self._words.begin(Path(job["words"], spec.id))
        self._reports = self._run(spec, job)
        return True

    def step(self) -> dict[str, Any]:
        """Return the next report alone: Ray keeps everything that is returned."""
        assert self._reports is not None
        self._words.wait(self._limits[0] if self._silent else stall_limit(*self._limits, self._epochs))
        try:
            item = next(self._reports)
        finally:
            self._words.rest()
        if isinstance(item, Epoch):
            self._epochs.append(item.seconds)
        self._silent = isinstance(item, Opening)  # the test of a model takes as long as its explainers
        return {"parcel": Message(item)}

    def cleanup(self) -> None:
        """Close the trial."""
        self._words.end()
        if self._reports is not None:
            self._reports.close()

    def _run(self, spec: TrialSpec, job: Mapping[str, Any]) -> Generator[Item, None, None]:
        yield Started(os.getpid(), socket.gethostname())
        try:
            if self._catalog is None:
                arguments = {name: job[name] for name in ("disabled", "settings") if job[name]}
                self._catalog = load(job["catalog"])(**arguments)
                for file in job["files"]:
                    run_file(self._catalog, SingleFile(**file))
            run = load(job["run_trial"])
            yield from events(run, spec, self._catalog, _workspace(job["workspace"]))
        except HarnessError as error:
            yield error


def _workspace(values: Mapping[str, Any]) -> Workspace:
    checkpoints = Path(values["checkpoints"]) if values["checkpoints"] else None
    paths = {"data": Path(values["data"]), "cache": Path(values["cache"]), "checkpoints": checkpoints}
    return Workspace(**{**values, **paths})
