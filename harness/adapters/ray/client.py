"""Ray's client process, `python -m harness.adapters.ray.client DESCRIPTOR`: one Ray experiment for one run.

Ray ends its own client when the head of a cluster is lost, may wait for a cluster without limit, and replaces the
handlers of signals. In a process of its own it does none of this to the driver, which keeps the journal.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import psutil
import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig

from harness.adapters.ray.callbacks import Janitor, Link, LinkedScheduler, LinkedSearcher, Silence, StopExperiment
from harness.adapters.ray.trainable import GROUP_SIGNALS, HarnessTrainable


def main(descriptor: int) -> None:
    """Run the experiment that the driver describes in its first message, and tell the driver how it ended."""
    # Ray's servers inherit the blocked signals: the driver alone decides when a run ends.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, *GROUP_SIGNALS})
    _end_with(os.getppid())
    connection = Connection(descriptor)
    order: Mapping[str, Any] = connection.recv()
    link = Link(connection)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **order["start"])
        link.ask("remember", [child.pid for child in psutil.Process().children(recursive=True)])
        _fit(link, order["folder"], resources(order["concurrent"], order["cpus"], order["gpus_per_trial"]))
    except Exception as error:  # a slow node raises a bare Exception
        link.ask("fail", f"{type(error).__name__}: {error}")
    else:
        if order["start"].get("address"):
            ray.shutdown()  # servers of our own are killed by the driver, which takes no second
        link.ask("end")


def resources(concurrent: int, cpus: float, gpus_per_trial: float | None) -> dict[str, float]:
    """Return what Ray reserves for a trial: cores, and a share of a GPU where there are any."""
    there = float(ray.cluster_resources().get("GPU", 0.0))
    # A share is of one GPU: three trials on two GPUs get a half each, since two shares of .67 do not fit.
    share = 1 / math.ceil(concurrent / max(1.0, there)) if gpus_per_trial is None else gpus_per_trial
    return {"cpu": cpus, **({"gpu": share} if there and share else {})}


def _fit(link: Link, folder: str, needed: Mapping[str, float]) -> None:
    tuner = tune.Tuner(
        tune.with_resources(HarnessTrainable, dict(needed)),
        tune_config=TuneConfig(
            search_alg=LinkedSearcher(link),
            scheduler=LinkedScheduler(link),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=RunConfig(
            name="study",
            storage_path=f"{folder}/tune",
            callbacks=[Janitor(link), Silence()],
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            failure_config=FailureConfig(max_failures=0),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except StopExperiment:
        return


def _end_with(parent: int) -> None:
    """End this process, and Ray's servers with it, soon after the driver's process was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
