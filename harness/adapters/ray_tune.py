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
from ray.exceptions import RayActorError
from ray.tune import Callback, CheckpointConfig, FailureConfig, RunConfig, TuneConfig
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from harness.adapters.asha import Stoppers
from harness.adapters.ray_trainable import HarnessTrainable, Parcel, Started
from harness.adapters.worker import CATALOG, RUN_TRIAL
from harness.contract.catalog import Catalog
from harness.contract.errors import HarnessError, MachineError
from harness.contract.types import TrialResult, TrialSpec, Workspace
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
        folder = tempfile.mkdtemp(prefix="harness-")
        conductor.remember(temporary=folder)
        bridge = _Bridge(conductor, Stoppers(conductor), concurrent, {**self._job, "workspace": _plain(workspace)})
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
            return {"cpu": 1}
        return {"cpu": 1, "gpu": self._gpus_per_trial or min(1.0, there / concurrent)}


class _Bridge:
    """Between Ray's callbacks and the conductor. Nothing it is called for raises: an error ends the run instead."""

    def __init__(self, conductor: Conductor, stoppers: Stoppers, concurrent: int, job: Mapping[str, Any]) -> None:
        self.conductor = conductor
        self._stoppers, self._concurrent, self._job = stoppers, concurrent, job
        self._running: dict[str, TrialSpec] = {}
        self.error: BaseException | None = None

    def __reduce__(self) -> Any:
        # Ray writes down whatever it is given; what is never read back need not be written.
        return object, ()

    @property
    def ending(self) -> bool:
        """Whether all that runs is to be killed."""
        return self.error is not None or self.conductor.stopping

    def suggest(self, ray_trial: str) -> Any:
        """What Ray is to run; None while as many trials run as may, so that each proposal knows all results."""
        if self.ending:
            return Searcher.FINISHED
        if len(self._running) >= self._concurrent:
            return None
        with self._errors():
            spec = self.conductor.next()
            if isinstance(spec, TrialSpec):
                self._running[ray_trial] = spec
                return {"spec": spec.to_json(), "job": self._job}
            return None if self._running else Searcher.FINISHED
        return Searcher.FINISHED

    def received(self, ray_trial: str, parcel: Parcel) -> bool:
        """Takes what a worker sent; says whether its trial is over."""
        with self._errors():
            spec, item = self._running[ray_trial], parcel.open()
            if isinstance(item, HarnessError):
                raise item
            if isinstance(item, Started):
                self.conductor.started(spec.id, item.pid, item.host)
                return False
            if isinstance(item, TrialResult):
                self.conductor.finished(spec.id, item)
            else:
                self.conductor.epoch(spec.id, item)
                if not self._stoppers.stops(spec, item):
                    return False
                self.conductor.stopped(spec.id)
            del self._running[ray_trial]
        return True

    def lost(self, ray_trial: str, reason: str) -> None:
        """A worker has died, or Ray could not start one."""
        with self._errors():
            self.conductor.interrupted(self._running.pop(ray_trial).id, reason, died=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.error = self.error or error


class _Searcher(Searcher):  # type: ignore[misc]
    """Ray's view of the conductor. It has no state of its own to save: the journal has it."""

    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def suggest(self, trial_id: str) -> Any:
        return self._bridge.suggest(trial_id)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The scheduler has said it already."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing is saved: a Ray experiment is never restored."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing is restored."""


class _Scheduler(FIFOScheduler):  # type: ignore[misc]
    """First come, first served; every report goes to the bridge, which knows when a trial is over."""

    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: Mapping[str, Any]) -> str:
        over = self._bridge.received(trial.trial_id, result["parcel"])
        return str(self.STOP if over else self.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        error = trial.get_pickled_error()
        reason = "its process ended" if isinstance(error, RayActorError) else str(error or trial.get_error())
        self._bridge.lost(trial.trial_id, reason)


class _End(Exception):
    """Breaks off a Ray experiment."""


class _Ender(Callback):  # type: ignore[misc]
    """Kills what runs as soon as the run is to end: an epoch may take minutes, and its checkpoint is safe."""

    def __init__(self, bridge: _Bridge) -> None:
        self._bridge = bridge

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        if not self._bridge.ending:
            return
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            if actor is not None:
                ray.kill(actor)
        raise _End


def _fit(bridge: _Bridge, folder: str, resources: Mapping[str, float]) -> None:
    tuner = tune.Tuner(
        tune.with_resources(HarnessTrainable, dict(resources)),
        tune_config=TuneConfig(
            search_alg=_Searcher(bridge),
            scheduler=_Scheduler(bridge),
            num_samples=-1,
            reuse_actors=True,
            trial_name_creator=lambda trial: trial.trial_id,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=RunConfig(
            name="study",
            storage_path=f"{folder}/tune",
            callbacks=[_Ender(bridge)],
            checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            failure_config=FailureConfig(max_failures=0),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    except _End:
        return


@contextmanager
def _ray(address: str, workspace: Workspace, concurrent: int, folder: str, conductor: Conductor) -> Iterator[None]:
    """A Ray of our own for the time of the run, or a running cluster's; both leave the environment as it was."""
    environment = {**_ENVIRONMENT, "OMP_NUM_THREADS": str(workspace.threads)}
    if address and "RAY_AUTH_MODE" in os.environ:
        environment["RAY_AUTH_MODE"] = os.environ["RAY_AUTH_MODE"]  # a cluster's own choice
    own: dict[str, Any] = {"num_cpus": concurrent, "include_dashboard": False, "_temp_dir": f"{folder}/ray"}
    cluster: dict[str, Any] = {"address": address, "runtime_env": {"env_vars": environment}}
    before, handlers = dict(os.environ), _handlers()
    os.environ.update(
        {**environment, **({"RAY_AUTH_MODE": before["RAY_AUTH_MODE"]} if "RAY_AUTH_MODE" in before else {})}
    )
    children = {child.pid for child in psutil.Process().children()}
    try:
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **(cluster if address else own))
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            raise MachineError(f"Ray cannot be started: {error}") from error
        _restore(handlers)
        started = [child.pid for child in psutil.Process().children() if child.pid not in children]
        conductor.remember(*started)
        yield
    finally:
        ray.shutdown()
        _restore(handlers)
        os.environ.clear()
        os.environ.update(before)


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
