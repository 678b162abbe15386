"""A tuner that runs trials with Ray Tune: one Tuner for all variants, and actors that are used again.

Ray decides only where a trial runs: the policy decides which trial is next, `asha` which one is pruned. Each resume
is a new Ray experiment; Ray's records are removed at the end. Ray is imported when a run begins, since it reads some
environment variables only then.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.adapters.worker import CATALOG, RUN_TRIAL
from harness.contract.catalog import Catalog
from harness.contract.types import Workspace
from harness.study.run.driver import Driver

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # unset, it depends on files in the home directory
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # its messages about a dead worker: the journal has them
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
    """A tuner that runs each trial in an actor of Ray; see `Tuner`.

    Args:
        run_trial: `module:function` that runs a trial, imported in the worker.
        catalog: `module:function` that returns the worker's catalog.
        disabled: plugins that the worker leaves out; passed to `catalog` if there are any.
        address: of a running cluster, or "" for a cluster of its own on this machine.
        gpus_per_trial: share of a GPU, or None for equal shares of all GPUs.
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

    def run(self, driver: Driver, catalog: Catalog, workspace: Workspace, concurrent: int) -> None:
        """Run the trials in Ray; see `Tuner`."""
        # For Ray's sockets, whose path may have 104 characters; TMPDIR alone can be that long.
        folder = tempfile.mkdtemp(prefix="harness-", dir="/tmp" if os.path.isdir("/tmp") else None)
        driver.remember(temporary=folder)
        job = {**self._job, "workspace": _plain(workspace)}
        environment = {**_ENVIRONMENT, "OMP_NUM_THREADS": str(workspace.threads)}
        environment["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")  # see harness.cli.main
        if self._address and "RAY_AUTH_MODE" in os.environ:
            environment["RAY_AUTH_MODE"] = os.environ["RAY_AUTH_MODE"]  # a cluster's own choice
        try:
            with _environment(environment):
                from harness.adapters.ray.session import run_in_ray

                start = {"address": self._address, "runtime_env": {"env_vars": environment}}
                own = {"num_cpus": concurrent, "include_dashboard": False, "_temp_dir": f"{folder}/ray"}
                # A named device is the user's choice: Ray would show the trial a single other one.
                share = self._gpus_per_trial if workspace.device in ("auto", "cuda") else 0.0
                cpus = float(workspace.threads) if self._address else 1.0  # ours has one "CPU" for each trial
                run_in_ray(driver, job, concurrent, folder, start if self._address else own, cpus, share)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set these variables, and restore the earlier values at the end."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _plain(workspace: Workspace) -> dict[str, Any]:
    checkpoints = str(workspace.checkpoints) if workspace.checkpoints else None
    return {
        "data": str(workspace.data),
        "cache": str(workspace.cache),
        "checkpoints": checkpoints,
        "device": workspace.device,
        "threads": workspace.threads,
    }
