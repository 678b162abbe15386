"""A tuner that is a for loop: one trial at a time, in this process, without Ray. For debugging and small tests."""

from __future__ import annotations

import os
from contextlib import closing

from harness.adapters.ray.asha import Stoppers
from harness.adapters.worker import RUN_TRIAL, events, load, ready_for_another
from harness.contract.catalog import Catalog
from harness.contract.errors import MachineError
from harness.contract.types import Opening, TrialResult, TrialSpec, Workspace
from harness.study.run.conductor import Conductor
from harness.study.run.tuning import Events, Pause


class InlineTuner:
    """See `Tuner`; `concurrent` is always 1.

    Args:
        run_trial: `module:function` that runs a trial.
    """

    def __init__(self, run_trial: str = RUN_TRIAL) -> None:
        self._run_trial = load(run_trial)

    def run(self, conductor: Conductor, catalog: Catalog, workspace: Workspace, concurrent: int = 1) -> None:
        """See `Tuner`.

        Raises:
            MachineError: an error of a trial has made CUDA unusable in this process.
        """
        stoppers = Stoppers(conductor)
        while isinstance(spec := conductor.next(), TrialSpec):
            if not ready_for_another():
                raise MachineError("CUDA cannot be used any more after an error of an earlier trial")
            conductor.started(spec.id, os.getpid())
            with closing(events(self._run_trial, spec, catalog, workspace)) as trial:
                self._follow(conductor, stoppers, spec, trial)
        assert spec is Pause.DONE, "nothing runs, so nothing can be waited for."

    def _follow(self, conductor: Conductor, stoppers: Stoppers, spec: TrialSpec, trial: Events) -> None:
        while not conductor.stopping:
            with conductor.interruptible():
                event = next(trial)
            if isinstance(event, TrialResult):
                return conductor.finished(spec.id, event)
            if isinstance(event, Opening):
                conductor.opening(spec.id)
                continue
            conductor.epoch(spec.id, event)
            if stoppers.stops(spec, event):
                return conductor.stopped(spec.id)
