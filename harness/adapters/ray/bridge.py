"""A searcher, a scheduler and a callback for Ray Tune, which pass everything to one bridge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from harness.adapters.last_words import read_last_words
from harness.adapters.memory import Memory, out_of_memory, said_by_ray
from harness.adapters.ray.asha import Pruners
from harness.adapters.ray.trainable import Message
from harness.contract.errors import HarnessError
from harness.study.journal.progress import Progress
from harness.study.run.driver import Driver
from harness.study.run.policy import Start


class Bridge:
    """A connection of Ray's callbacks with the driver. No method raises: an error ends the run instead."""

    def __init__(self, driver: Driver, concurrent: int, job: Mapping[str, Any]) -> None:
        self._driver, self._concurrent, self._job = driver, concurrent, job
        self._prunes = Pruners(Progress(driver.plan, driver.state)).prunes
        self._running: dict[str, str] = {}
        self._memory = Memory.now()
        self.error: BaseException | None = None

    def __reduce__(self) -> Any:
        # Ray pickles its arguments; this object is never read back and need not be written.
        return object, ()

    @property
    def ending(self) -> bool:
        """True if all running trials are to be killed."""
        return self.error is not None or bool(self._driver.stop)

    def suggest(self, ray_trial: str) -> Any:
        """Return the next trial; None while `concurrent` trials run, so that the sampler knows all results."""
        if self.ending:
            return Searcher.FINISHED
        if len(self._running) >= self._concurrent:
            return None
        with self._errors():
            step = self._driver.next()
            if isinstance(step, Start):
                self._running[ray_trial] = step.spec.id
                epoch_s = self._driver.epoch_seconds(step.spec.variant_id)
                return {"spec": step.spec.to_json(), "job": self._job, "epoch_s": epoch_s}
            return None if self._running else Searcher.FINISHED
        return Searcher.FINISHED

    def received(self, ray_trial: str, parcel: Message) -> bool:
        """Pass on a worker's message before Ray continues the worker; return True if its trial is over."""
        with self._errors():
            item = parcel.open()
            if isinstance(item, HarnessError):
                raise item
            if not self._driver.report(self._running[ray_trial], item, self._prunes):
                return False
            del self._running[ray_trial]
        return True

    def lost(self, ray_trial: str, reason: str) -> None:
        """Record that a worker has died or could not start; Ctrl-C in a terminal may reach workers too."""
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


class BridgeSearcher(Searcher):  # type: ignore[misc]
    """The searcher that Ray calls. It has no state to save: the journal has it."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial."""
        return self._bridge.suggest(trial_id)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Do nothing: the scheduler has passed it on."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a Ray experiment is never restored."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


class BridgeScheduler(FIFOScheduler):  # type: ignore[misc]
    """A first-come, first-served scheduler; every report goes to the bridge, which knows when a trial is over."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: Mapping[str, Any]) -> str:
        """Return Ray's next action for the trial: continue or stop."""
        over = self._bridge.received(trial.trial_id, result["parcel"])
        return str(self.STOP if over else self.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Pass on that a worker is lost."""
        self._bridge.lost(trial.trial_id, _why(trial))


def _why(trial: Trial) -> str:
    """Return Ray's reason in one line, from where Ray writes it first: `get_pickled_error` needs a synced file."""
    if not trial.pickled_error_file:  # an error of Ray, not of a worker
        said = Path(trial.error_file).read_text().strip() if trial.error_file else ""
        return said.splitlines()[-1].strip() if said else "Ray gives no reason"
    error = cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    if isinstance(error, ActorUnavailableError):
        return "its worker can no longer be reached"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    if not isinstance(error, RayActorError):
        return lines[-1].strip()
    found = re.search(r"is dead because (.+?)\.", str(error))  # a page of possible causes follows
    return found[1] if found else lines[0]


class End(Exception):
    """Breaks off a Ray experiment."""


class Silence(TrialProgressCallback):  # type: ignore[misc]
    """In place of the one that Ray adds, which prints a line a trial at every verbosity and keeps every trial."""

    def on_trial_result(self, *_: Any, **__: Any) -> None:
        """Print nothing: an observer displays."""

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        """Print nothing."""

    def on_trial_complete(self, *_: Any, **__: Any) -> None:
        """Print nothing."""


class Janitor(Callback):  # type: ignore[misc]
    """Kills what runs as soon as the run is to end, and keeps Ray's memory small."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Empty the report, which the scheduler has dealt with: Ray keeps statistics of every number in it."""
        result.clear()

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Kill what runs if the run is to end: an epoch may take minutes, and the last one's checkpoint is safe."""
        if not self._bridge.ending:
            return
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            if actor is not None:
                ray.kill(actor)
        raise End
