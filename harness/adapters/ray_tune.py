"""Ray Tune executes: one Tuner for all variants, class actors that are used again, and the conductor in charge.

Ray decides nothing but where a trial runs: what comes next is the conductor's, what is stopped is
`asha`'s. Each resume is a fresh Ray experiment; Ray's own records are thrown away at the end.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psutil
import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig

from harness.adapters.asha import Stoppers
from harness.adapters.ray_bridge import Bridge, BridgeScheduler, BridgeSearcher, End, Housekeeper, Silence
from harness.adapters.ray_trainable import HarnessTrainable
from harness.adapters.worker import CATALOG, RUN_TRIAL
from harness.contract.catalog import Catalog
from harness.contract.errors import MachineError
from harness.contract.types import Workspace
from harness.study.conductor import Conductor

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # unset, it depends on what lies in the home directory
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "TUNE_WARN_THRESHOLD_S": "60",
}


class RayTuner:
    """See `Tuner`.

    Args:
        run_trial: `module:function` that runs a trial, imported in the worker.
        catalog: `module:function` that gives the worker its catalog.
        disabled: plugins that the worker leaves out, given to `catalog` where there are any.
        address: of a running cluster, or "" for one of its own on this machine.
        gpus_per_trial: share of a GPU, or None for an equal share of what there is.
    """

    def __init__(
        self,
        run_trial: str = RUN_TRIAL,
        catalog: str = CATALOG,
        disabled: tuple[str, ...] = (),
        address: str = "",
        gpus_per_trial: float | None = None,
    ) -> None:
        self._job = {"run_trial": run_trial, "catalog": catalog, "disabled": list(disabled)}
        self._address, self._gpus_per_trial = address, gpus_per_trial

    def run(self, conductor: Conductor, catalog: Catalog, workspace: Workspace, concurrent: int) -> None:
        """See `Tuner`."""
        # Ray's sockets stand in it: their whole path may have 104 characters, which TMPDIR alone can take up.
        folder = tempfile.mkdtemp(prefix="harness-", dir="/tmp" if os.path.isdir("/tmp") else None)
        conductor.remember(temporary=folder)
        bridge = Bridge(conductor, Stoppers(conductor), concurrent, {**self._job, "workspace": _plain(workspace)})
        try:
            with _ray(self._address, workspace, concurrent, folder, conductor):
                _fit(bridge, folder, self._resources(workspace, concurrent))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if bridge.error is not None:
            raise bridge.error

    def _resources(self, workspace: Workspace, concurrent: int) -> dict[str, float]:
        there = ray.cluster_resources().get("GPU", 0.0)
        wanted = workspace.device == "auto" or workspace.device.startswith("cuda")
        if not there or not wanted:
            return {"cpu": 1.0}
        return {"cpu": 1.0, "gpu": self._gpus_per_trial or min(1.0, there / concurrent)}


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
            callbacks=[Housekeeper(bridge), Silence()],
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
def _ray(address: str, workspace: Workspace, concurrent: int, folder: str, conductor: Conductor) -> Iterator[None]:
    """A Ray of our own for the time of the run, or a running cluster's; both leave the environment as it was."""
    environment = {**_ENVIRONMENT, "OMP_NUM_THREADS": str(workspace.threads)}
    if address and "RAY_AUTH_MODE" in os.environ:
        environment["RAY_AUTH_MODE"] = os.environ["RAY_AUTH_MODE"]  # a cluster's own choice
    own: dict[str, Any] = {"num_cpus": concurrent, "include_dashboard": False, "_temp_dir": f"{folder}/ray"}
    cluster: dict[str, Any] = {"address": address, "runtime_env": {"env_vars": environment}}
    before, handlers = {name: os.environ.get(name) for name in environment}, _handlers()
    os.environ.update(environment)
    children = {child.pid for child in psutil.Process().children()}
    try:
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **(cluster if address else own))
        except Exception as error:  # a node that is slow to start is a bare Exception
            raise MachineError(f"Ray cannot be started: {error}") from error
        _restore(handlers)
        started = [child.pid for child in psutil.Process().children() if child.pid not in children]
        conductor.remember(*started)
        yield
    finally:
        ray.shutdown()
        _restore(handlers)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}


def _restore(handlers: Mapping[int, Any]) -> None:
    """Ray puts handlers of its own in place of those that end a run in good order."""
    for number, handler in handlers.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _plain(workspace: Workspace) -> dict[str, Any]:
    checkpoints = str(workspace.checkpoints) if workspace.checkpoints else None
    return {
        "data": str(workspace.data),
        "cache": str(workspace.cache),
        "checkpoints": checkpoints,
        "device": workspace.device,
        "threads": workspace.threads,
    }
