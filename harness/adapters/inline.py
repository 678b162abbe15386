"""A tuner that runs one trial at a time in this process, for debugging and small tests."""

from __future__ import annotations

import os
import socket
from contextlib import closing

from harness.adapters.ray.asha import Pruners
from harness.adapters.worker import RUN_TRIAL, events, load, ready_for_another
from harness.contract.errors import MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Workspace
from harness.study.journal.progress import Progress
from harness.study.run.driver import Driver
from harness.study.run.policy import Done, Start
from harness.study.run.tuning import Started


class InlineTuner:
    """A tuner in this process; `concurrent` is always 1. See `Tuner`.

    Args:
        run_trial: `module:function` that runs a trial.
    """

    def __init__(self, run_trial: str = RUN_TRIAL) -> None:
        self._run_trial = load(run_trial)

    def run(self, driver: Driver, catalog: Catalog, workspace: Workspace, concurrent: int = 1) -> None:
        """Run one trial after the other; see `Tuner`.

        Raises:
            MachineError: an error of a trial has made CUDA unusable in this process.
        """
        prunes = Pruners(Progress(driver.plan, driver.state)).prunes
        while isinstance(step := driver.next(), Start):
            if not ready_for_another():
                raise MachineError("CUDA cannot be used after an error of an earlier trial; run the command again")
            over = driver.report(step.spec.id, Started(os.getpid(), socket.gethostname()), prunes)
            with closing(events(self._run_trial, step.spec, catalog, workspace)) as trial:
                while not over and not driver.stop:
                    with driver.stop.interruptible():
                        event = next(trial)
                    over = driver.report(step.spec.id, event, prunes)
        assert isinstance(step, Done), "no trial is running, so none can be waited for."
