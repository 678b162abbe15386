"""A searcher, a scheduler and callbacks for Ray Tune, in Ray's client process: each asks the driver's process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from multiprocessing.connection import Connection
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


class Link:
    """A connection to the driver's process, which calls the methods of its `Bridge`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __reduce__(self) -> Any:
        # Ray pickles its arguments; this object is never read back and need not be written.
        return object, ()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of the bridge and return its value.

        Raises:
            EOFError: the driver's process has ended.
        """
        self._connection.send((method, arguments))
        return self._connection.recv()


class LinkedSearcher(Searcher):  # type: ignore[misc]
    """The searcher that Ray calls. It has no state to save: the journal has it."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def suggest(self, trial_id: str) -> Any:
        """Return the next trial."""
        return self._link.ask("suggest", trial_id)

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Do nothing: the scheduler has passed it on."""

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a Ray experiment is never restored."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


class LinkedScheduler(FIFOScheduler):  # type: ignore[misc]
    """A first-come, first-served scheduler; every report goes to the driver, which knows when a trial is over."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: Mapping[str, Any]) -> str:
        """Return Ray's next action for the trial: continue or stop."""
        over = self._link.ask("received", trial.trial_id, result["parcel"].open())
        return str(self.STOP if over else self.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Pass on that a worker is lost."""
        self._link.ask("lost", trial.trial_id, _why(trial))


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


class StopExperiment(Exception):
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

    def __init__(self, link: Link) -> None:
        self._link = link

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Empty the report, which the scheduler has dealt with: Ray keeps statistics of every number in it."""
        result.clear()

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Kill what runs if the run is to end: an epoch may take minutes, and the last one's checkpoint is safe."""
        if not self._link.ask("is_ending"):
            return
        for trial in trials:
            actor = trial.temporary_state.ray_actor
            if actor is not None:
                ray.kill(actor)
        raise StopExperiment
