"""One Ray experiment, from starting Ray to ending it. Imported after the environment is set."""

from __future__ import annotations

import logging
import math
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import psutil
import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig

from harness.adapters.ray.bridge import Bridge, BridgeScheduler, BridgeSearcher, End, Janitor, Silence
from harness.adapters.ray.trainable import GROUP_SIGNALS, HarnessTrainable
from harness.contract.errors import MachineError
from harness.study.run.driver import Driver


def run_in_ray(
    driver: Driver,
    job: Mapping[str, Any],
    concurrent: int,
    folder: str,
    start: Mapping[str, Any],
    cpus: float,
    gpus_per_trial: float | None,
) -> None:
    """Start Ray, run the trials of the driver, and end Ray.

    Args:
        driver: hands out trials.
        job: passed to each worker with its trial.
        concurrent: trials at a time.
        folder: where Ray may leave its records.
        start: arguments of `ray.init`.
        cpus: number of CPUs that Ray reserves for a trial.
        gpus_per_trial: share of a GPU, or None for equal shares of all GPUs.

    Raises:
        MachineError: Ray cannot be started, or fails.
    """
    bridge = Bridge(driver, concurrent, job)
    with _ray(start, driver):
        _fit(bridge, folder, _resources(concurrent, cpus, gpus_per_trial))
    if bridge.error is not None:
        raise bridge.error


def _resources(concurrent: int, cpus: float, gpus_per_trial: float | None) -> dict[str, float]:
    there = float(ray.cluster_resources().get("GPU", 0.0))
    # A share is of one GPU: three trials on two GPUs get a half each, since two shares of .67 do not fit.
    share = 1 / math.ceil(concurrent / max(1.0, there)) if gpus_per_trial is None else gpus_per_trial
    return {"cpu": cpus, **({"gpu": share} if there and share else {})}


def _fit(bridge: Bridge, folder: str, resources: Mapping[str, float]) -> None:
    tuner = tune.Tuner(
        tune.with_resources(HarnessTrainable, dict(resources)),
        tune_config=TuneConfig(
            search_alg=BridgeSearcher(bridge),
            scheduler=BridgeScheduler(bridge),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=RunConfig(
            name="study",
            storage_path=f"{folder}/tune",
            callbacks=[Janitor(bridge), Silence()],
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            failure_config=FailureConfig(max_failures=0),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except End:
        return
    except RayError as error:
        raise MachineError(f"Ray has failed: {error}") from error


@contextmanager
def _ray(start: Mapping[str, Any], driver: Driver) -> Iterator[None]:
    """Start Ray for the run; the lock records its processes, so that none outlives a kill for long."""
    handlers = _handlers()
    before, own = set(psutil.Process().children()), []
    try:
        try:
            with _out_of_reach(), _without_handler():
                ray.init(log_to_driver=False, logging_level=logging.ERROR, **start)
                _restore(handlers)  # before signals that arrived in the meantime are delivered
        except Exception as error:  # a slow node raises a bare Exception
            raise MachineError(f"Ray cannot be started: {error}") from error
        own = [child for child in psutil.Process().children() if child not in before]
        driver.remember(*(child.pid for child in own))
        yield
    finally:
        for child in own:
            with suppress(psutil.NoSuchProcess):
                if _is_helper(child):
                    child.kill()  # idle; Ray would ask it to end and wait for a second
        ray.shutdown()
        _restore(handlers)


def _is_helper(process: psutil.Process) -> bool:
    """Return True for a script of Ray: its monitors, not its servers, and no process of a plugin."""
    package = os.path.dirname(ray.__file__)
    return any(part.startswith(package) and part.endswith(".py") for part in process.cmdline())


@contextmanager
def _out_of_reach() -> Iterator[None]:
    """Block the signals to a process group for the processes of Ray that start inside, as Ray does for Ctrl-C.

    A closing terminal, `timeout` and schedulers of clusters send such signals. Without its servers Ray would wait for a
    minute and end the driver by force. `ray.shutdown` ends them by SIGKILL, which cannot be blocked. Only on Linux:
    elsewhere, the end of a killed driver reaches them as one of these signals.
    """
    if not GROUP_SIGNALS:
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _without_handler() -> AbstractContextManager[Any]:
    """Keep Ray from setting its handler of SIGTERM, which raises SystemExit at any point of its start.

    Raised inside an import, that exception is lost together with the signal, and the module stays locked for ever.
    """
    return patch.object(ray._private.utils, "set_sigterm_handler", lambda handler: None, create=True)


def _handlers() -> Mapping[int, Any]:
    """Return the handlers that end a run cleanly; none outside the main thread, which alone may set them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


def _restore(handlers: Mapping[int, Any]) -> None:
    """Set the handlers that end a run cleanly: Ray replaces them, in its C++ code too, which Python does not see."""
    for number, handler in handlers.items():
        signal.signal(number, handler)
