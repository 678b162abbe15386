"""The driver of a run: takes steps from the policy, asks the sampler, and has the recorder write what tuners report."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from harness.contract.errors import InputError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Opening, Plan, TrialResult, Workspace
from harness.study.journal.progress import Progress
from harness.study.journal.state import StudyState
from harness.study.run import policy
from harness.study.run.policy import Ask, Done, Start, Wait
from harness.study.run.recorder import Recorder
from harness.study.run.stopping import Stop
from harness.study.run.tuning import Prunes, Report, Sampler, Started


@runtime_checkable
class Tuner(Protocol):
    """Runs the trials that a driver hands out and reports what happens, until told to stop.

    `run` returns when the driver has nothing more to hand out. It ends promptly once
    `driver.stop` is true, and leaves no process of its own behind.
    """

    def run(self, driver: Driver, catalog: Catalog, workspace: Workspace, concurrent: int) -> None:
        """Run everything, `concurrent` trials at a time.

        Raises:
            MachineError: the machine failed; the study can be resumed.
            InputError: what the user wrote turned out to be wrong only when it was built.
        """


class Driver:
    """Hands out trials and takes their reports; call `open` first and `close` last.

    Args:
        plan: what is to be run.
        sampler: where configurations come from.
        recorder: of the study's folder, its journal read.
        remember: called with the ids of processes, and `temporary=` a folder, that must not outlive this one.
    """

    def __init__(
        self,
        plan: Plan,
        sampler: Sampler,
        recorder: Recorder,
        remember: Callable[..., None] = lambda *pids, temporary="": None,
    ) -> None:
        self.plan, self.recorder, self.remember, self.stop = plan, recorder, remember, Stop()
        self._sampler = sampler

    @property
    def state(self) -> StudyState:
        """The study's state now."""
        return self.recorder.state

    def open(self, plan_json: Any = None) -> None:
        """Bring the sampler up to the journal, and record that a run begins.

        Raises:
            MachineError: the disk or the sampler's store failed.
        """
        if self.plan.trained:
            self._sampler.sync(self.plan, self.state)
        left = [record.spec.id for record in policy.cut_off(self.plan, self.state) if record.running]
        self.recorder.begin(plan_json)
        for trial in left:
            self.recorder.interrupted(trial, "the earlier run ended without a word")

    def close(self) -> None:
        """Take back every trial that is out, and record how the run ended.

        Raises:
            MachineError: the disk failed.
        """
        reason = self.stop.reason or "the run ended early"
        for trial in list(self.state.out):
            self.recorder.interrupted(trial, reason)
        self.recorder.ended() if policy.is_done(self.plan, self.state) else self.recorder.paused(reason)

    def next(self) -> Start | Wait | Done:
        """Return what a tuner is to do now; a tuner that starts a trial reports until it is over or lost."""
        step = Done() if self.stop else policy.next_step(self.plan, self.state)
        while isinstance(step, Ask):
            step = self._sampled(step) or policy.next_step(self.plan, self.state)
        if isinstance(step, Start):
            if step.spec.id not in self.state.trials:
                self.recorder.asked(step.spec)
            self.recorder.handed_out(step.spec.id)
        return step

    def report(self, trial: str, item: Report, prunes: Prunes) -> bool:
        """Take what a trial reports.

        Returns:
            True if the trial is over: it has ended, or is pruned.

        Raises:
            MachineError: the disk or the sampler's store failed.
            InputError: no variant's model can be built, all for one reason: other trials would fail alike.
        """
        if isinstance(item, Started):
            if item.host == socket.gethostname():
                self.remember(item.pid)
            self.recorder.started(trial, item.pid)
        elif isinstance(item, Opening):
            self.recorder.opening(trial)
        elif isinstance(item, TrialResult):
            self._end(trial, item)
            return True
        else:
            self.recorder.epoch(trial, item)
            record = self.state.trials[trial]
            if prunes(record.spec, item):
                self._end(trial, policy.pruned(record, self.plan.objective))
                return True
        return False

    def epoch_seconds(self, variant_id: str) -> float | None:
        """Return the median duration of an epoch over the ended search trials of a variant; None without any."""
        ended = [record.result for record in self.state.of_variant(variant_id, "search") if record.result]
        seconds = [result.seconds / result.epochs for result in ended if result.epochs]
        return statistics.median(seconds) if seconds else None

    def lost(self, trial: str, reason: str, died: bool = False) -> None:
        """Take back a trial that was cut off from outside; `died` where its worker may have been killed by it."""
        failed = policy.lost(self.state.trials[trial], reason) if died else None
        if failed:
            self._end(trial, failed)
        else:
            self.recorder.interrupted(trial, reason, died)

    def _sampled(self, ask: Ask) -> Start | None:
        found = self._sampler.ask(ask.variant, ask.number, ask.params)
        if found is None:
            assert ask.params is None, "parameters that are given are no space to exhaust."
            self.recorder.exhausted(ask.variant.id)
            return None
        return Start(policy.search_spec(self.plan, ask, found))

    def _end(self, trial: str, result: TrialResult) -> None:
        spec = self.state.trials[trial].spec
        record = self.recorder.finished(trial, policy.counted(spec, result))
        if spec.stage == "search":
            self._sampler.tell(record)
        unbuilt = Progress(self.plan, self.state).unbuilt()
        if unbuilt and not policy.is_complete(self.plan, self.state):
            raise InputError(unbuilt)
