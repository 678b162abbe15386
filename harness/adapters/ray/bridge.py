"""The driver's end of the connection with Ray's client process: answers what Ray's callbacks ask. Free of Ray."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.adapters.last_words import read_last_words
from harness.adapters.memory import Memory, out_of_memory, said_by_ray
from harness.adapters.ray.asha import Pruners
from harness.contract.errors import HarnessError
from harness.study.journal.progress import Progress
from harness.study.run.driver import Driver
from harness.study.run.policy import Start
from harness.study.run.tuning import Report

Item = Report | HarnessError

FINISHED = "FINISHED"
"""The answer to `suggest` when no trial is left; Ray's searchers return the same word."""


class Bridge:
    """Answers for Ray's callbacks, given by the driver. No method raises: an error ends the run instead.

    Args:
        driver: hands out trials.
        concurrent: trials at a time.
        job: passed to each worker with its trial.
    """

    def __init__(self, driver: Driver, concurrent: int, job: Mapping[str, Any]) -> None:
        self._driver, self._concurrent, self._job = driver, concurrent, job
        self._prunes = Pruners(Progress(driver.plan, driver.state)).prunes
        self._running: dict[str, str] = {}
        self._memory = Memory.now()
        self.error: BaseException | None = None

    @property
    def ending(self) -> bool:
        """True if all running trials are to be killed."""
        return self.error is not None or bool(self._driver.stop)

    def suggest(self, ray_trial: str) -> Any:
        """Return the next trial; None while `concurrent` trials run, so that the sampler knows all results."""
        if self.ending:
            return FINISHED
        if len(self._running) >= self._concurrent:
            return None
        with self._errors():
            step = self._driver.next()
            if isinstance(step, Start):
                self._running[ray_trial] = step.spec.id
                epoch_s = self._driver.epoch_seconds(step.spec.variant_id)
                return {"spec": step.spec.to_json(), "job": self._job, "epoch_s": epoch_s}
            return None if self._running else FINISHED
        return FINISHED

    def received(self, ray_trial: str, item: Item) -> bool:
        """Pass on a worker's report before Ray continues the worker; return True if its trial is over."""
        with self._errors():
            if isinstance(item, HarnessError):
                raise item
            if not self._driver.report(self._running[ray_trial], item, self._prunes):
                return False
            del self._running[ray_trial]
        return True

    def lost(self, ray_trial: str, reason: str) -> None:
        """Record that a worker has died or could not start."""
        with self._errors():
            trial = self._running.pop(ray_trial)
            self._driver.lost(trial, self._explained(trial, reason), died=not self.ending)

    def _explained(self, trial: str, reason: str) -> str:
        """Return why a worker was lost: memory that ran out, its last words, or what Ray says."""
        before, self._memory = self._memory, Memory.now()
        if said_by_ray(reason):
            return out_of_memory(self._memory)
        return read_last_words(Path(self._job["words"], trial)) or self._memory.since(before) or reason

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.error = self.error or error
