"""Ray Tune executes: one Tuner for all variants, class actors that are used again, and the conductor in charge.

Ray decides nothing but where a trial runs: what comes next is the conductor's, what is stopped is
`asha`'s. Each resume is a fresh Ray experiment; Ray's own records are thrown away at the end.
Ray is imported when a run begins: some of the environment it reads only then.
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
from harness.study.run.conductor import Conductor

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # unset, it depends on what lies in the home directory
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # its own words about a worker that died: the journal has them
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
                # A device that is named is the user's own choice: Ray would show the trial another one alone.
                share = self._gpus_per_trial if workspace.device in ("auto", "cuda") else 0.0
                cpus = float(workspace.threads) if self._address else 1.0  # ours has one "CPU" for each trial
                run_in_ray(conductor, job, concurrent, folder, start if self._address else own, cpus, share)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets these variables, and puts back what was."""
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
