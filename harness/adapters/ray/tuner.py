"""A tuner that runs trials with Ray Tune: one Tuner for all variants, and actors that are used again.

Ray decides only where a trial runs: the policy decides which trial is next, `asha` which one is pruned. Each resume
is a new Ray experiment; Ray's records are removed at the end. Ray's client has a process of its own, so that its
environment is ours even where Ray was imported before, as in a notebook.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harness.adapters.ray.bridge import Bridge
from harness.adapters.ray.process import ClientProcess
from harness.adapters.worker import CATALOG, RUN_TRIAL
from harness.config.settings import MEGAPIXELS_VARIABLE
from harness.contract.errors import MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.finding import VARIABLE
from harness.contract.loading.single_files import SingleFile
from harness.contract.types import Workspace
from harness.study.run.driver import Driver

_ENVIRONMENT = {
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

_CONNECT_S = 10.0


class RayTuner:
    """A tuner that runs each trial in an actor of Ray; see `Tuner`.

    Args:
        run_trial: `module:function` that runs a trial, imported in the worker.
        catalog: `module:function` that returns the worker's catalog.
        disabled: plugins that the worker leaves out; passed to `catalog` if there are any.
        files: plugins of single files, which travel to the worker as text.
        address: of a running cluster, or "" for a cluster of its own on this machine.
        gpus_per_trial: share of a GPU, or None for equal shares of all GPUs.
        stall_s: seconds without a report after which a trial is ended; None for ten epochs, at least 600 s.
        plugins: settings of plugins by address; workers read `env:NAME` from their own environment.
    """

    def __init__(
        self,
        run_trial: str = RUN_TRIAL,
        catalog: str = CATALOG,
        disabled: tuple[str, ...] = (),
        files: tuple[SingleFile, ...] = (),
        address: str = "",
        gpus_per_trial: float | None = None,
        stall_s: float | None = None,
        plugins: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._job: dict[str, Any] = {"run_trial": run_trial, "catalog": catalog, "stall_s": stall_s}
        self._job |= {"disabled": list(disabled), "files": [asdict(file) for file in files]}
        self._job["settings"] = {name: dict(table) for name, table in (plugins or {}).items()}
        self._address, self._gpus_per_trial = address, gpus_per_trial

    def run(self, driver: Driver, catalog: Catalog, workspace: Workspace, concurrent: int) -> None:
        """Run the trials in Ray; see `Tuner`."""
        # For Ray's sockets, whose path may have 104 characters; TMPDIR alone can be that long.
        folder = tempfile.mkdtemp(prefix="harness-", dir="/tmp" if os.path.isdir("/tmp") else None)
        driver.remember(temporary=folder)
        job = {**self._job, "workspace": _plain(workspace), "words": tempfile.mkdtemp(prefix="words-", dir=folder)}
        bridge = Bridge(driver, concurrent, job)
        environment = self._environment(workspace.threads)
        own = {"num_cpus": concurrent, "include_dashboard": False, "_temp_dir": f"{folder}/ray"}
        joined = {"address": self._address, "runtime_env": {"env_vars": environment}}
        order = {
            "start": joined if self._address else own,
            "folder": folder,
            "concurrent": concurrent,
            "cpus": float(workspace.threads) if self._address else 1.0,  # ours has one "CPU" for each trial
            # A named device is the user's choice: Ray would show the trial a single other one.
            "gpus_per_trial": self._gpus_per_trial if workspace.device in ("auto", "cuda") else 0.0,
        }
        try:
            _check_reachable(self._address)
            with ClientProcess({**environment, **self._access()}, folder, self._address) as client:
                client.serve(driver, bridge, order)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if bridge.error is not None:
            raise bridge.error

    def _environment(self, threads: int) -> dict[str, str]:
        """Return the variables of Ray's client and of every worker."""
        # PASSIVE: see harness.cli.main
        return {
            **_ENVIRONMENT,
            "OMP_NUM_THREADS": str(threads),
            "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
            **{name: os.environ[name] for name in (MEGAPIXELS_VARIABLE, VARIABLE) if name in os.environ},
        }

    def _access(self) -> dict[str, str]:
        """Return the variables that decide who may talk to Ray: for servers of our own, this run alone."""
        if self._address:  # a cluster's own choice
            return {"RAY_AUTH_MODE": os.environ.get("RAY_AUTH_MODE", "disabled")}
        return {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the one switch by which Ray binds to the loopback interface
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
        }


def _check_reachable(address: str) -> None:
    """Raise MachineError where nothing answers at a cluster's address: Ray would wait without end."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise MachineError(f"no Ray cluster answers at {address} (ray_address in harness.toml): {reason}") from error


def _plain(workspace: Workspace) -> dict[str, Any]:
    checkpoints = str(workspace.checkpoints) if workspace.checkpoints else None
    return {
        "data": str(workspace.data),
        "cache": str(workspace.cache),
        "checkpoints": checkpoints,
        "device": workspace.device,
        "threads": workspace.threads,
    }
