"""A sampler with one Optuna study for each variant, through ask and tell, in a persistent database.

The journal is authoritative. A trial that was asked but not recorded is used again; trials that Optuna lacks are
added on resume. A database that contradicts the journal is filled again from it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from harness.adapters.optuna.records import NAMES, STATES, agree, attributes, steps, template
from harness.adapters.optuna.untried import untried
from harness.config import space
from harness.contract import seeds
from harness.contract.errors import InputError, MachineError
from harness.contract.types import Plan, VariantPlan
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.run.tuning import Configuration


class OptunaSampler:
    """A sampler by TPE, at random or from a grid, as [search] of the plan sets.

    Args:
        url: URL of the sampler's own database in SQLAlchemy's form: `sqlite:///…`, `postgresql://…`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: RDBStorage | None = None
        self._plan: Plan | None = None
        self._studies: dict[str, optuna.Study] = {}

    def sync(self, plan: Plan, state: StudyState) -> None:
        """Open the database and add the trials that only the journal has."""
        self._plan = plan
        for variant in plan.variants:
            records = state.of_variant(variant.id, "search")
            with self._reaching():
                if not agree(self._trials(variant.id), records):
                    optuna.delete_study(study_name=variant.id, storage=self._storage)
                    self._studies.pop(variant.id)
                for record in records[len(self._trials(variant.id)) :]:
                    self._storage.create_new_trial(self._study_id(variant.id), template(variant, record))
            for record in records:
                if record.result:
                    self.tell(record)

    def ask(self, variant: VariantPlan, number: int, params: Mapping[str, Any] | None = None) -> Configuration | None:
        """Return a configuration; see `Sampler`. The seed comes from the variant and the number of earlier trials."""
        if params is None and number == 0:
            params = space.default_params(variant.tree)
        with self._reaching():
            study = self._study(variant.id)
            study.sampler = self._sampler(variant, number)
            state = self._state(variant.id, number)
            if state is None and params is None and space.size(variant.tree) is not None:
                params = untried(study, variant.tree, number, grid=self._search["sampler"]["use"] == "grid")
                if params is None:
                    return None
            if state is None and params is not None:
                study.enqueue_trial(dict(params))
            if state == TrialState.RUNNING:
                # Asked before a crash: its parameters are kept, missing ones are sampled now.
                trial = optuna.Trial(study, self._trial_id(variant.id, number))
            else:
                trial = study.ask()
            tree, sampled = space.sample(variant.tree, trial)
        if trial.number != number:
            raise MachineError(f"Optuna has {trial.number} trials of {variant.name!r}, the journal {number}: {self}")
        return Configuration(tree, sampled)

    def tell(self, record: TrialRecord) -> None:
        """Store the end of a trial with its values or its reason; see `Sampler`."""
        spec, result = record.spec, record.result
        assert result is not None
        with self._reaching():
            trial_id = self._trial_id(spec.variant_id, spec.number)
            known = self._storage.get_trial(trial_id)
            if known.state.is_finished():
                return
            for step, value in steps(record).items():
                if step not in known.intermediate_values:
                    self._storage.set_trial_intermediate_value(trial_id, step, value)
            for name, value in attributes(record).items():
                self._storage.set_trial_user_attr(trial_id, name, value)
            values = [result.value] if result.state == "complete" else None
            self._study(spec.variant_id).tell(spec.number, values, STATES[result.state])

    def states(self, variant_id: str) -> dict[int, str]:
        """Return the states of a variant's trials; see `Sampler`. Create no study."""
        with self._reaching():
            try:
                study_id = self._storage.get_study_id_from_name(variant_id)
            except KeyError:
                return {}
            trials = self._storage.get_all_trials(study_id, deepcopy=False)
            return {trial.number: NAMES.get(trial.state, "running") for trial in trials}

    def forget(self, variant_ids: Iterable[str]) -> list[str]:
        """Remove the searches of these variants; return the names of those that existed."""
        with self._reaching():
            known = set(optuna.get_all_study_names(self._storage))
            found = [name for name in variant_ids if name in known]
            for name in found:
                optuna.delete_study(study_name=name, storage=self._storage)
                self._studies.pop(name, None)
        return found

    def __str__(self) -> str:
        try:
            return make_url(self._url).render_as_string(hide_password=True)
        except ArgumentError:
            return self._url

    @property
    def _search(self) -> Mapping[str, Any]:
        assert self._plan is not None, "`sync` comes first."
        return self._plan.search

    @property
    def _storage(self) -> RDBStorage:
        if self._opened is None:
            optuna.logging.set_verbosity(optuna.logging.WARNING)
            try:
                self._opened = RDBStorage(self._url)
                _relax(self._opened.engine)
            except ImportError as error:
                missing = error.__cause__ or error  # Optuna's message does not name the module
                raise InputError(f"{self}: {missing}: this database's driver is not installed{self._remedy}") from error
            except ArgumentError as error:
                raise InputError(f"{self}: not a database URL: {error}") from error
            except RuntimeError as error:  # made by another version of Optuna
                raise MachineError(f"the Optuna database {self} cannot be used: {error}") from error
        return self._opened

    @property
    def _remedy(self) -> str:
        ours = make_url(self._url).drivername in ("postgresql", "postgresql+psycopg")
        return "; `pip install mil-harness[postgresql]` brings it" if ours else ""

    def _study(self, variant_id: str) -> optuna.Study:
        if variant_id not in self._studies:
            direction = "minimize" if self._plan and self._plan.objective.mode == "min" else "maximize"
            self._studies[variant_id] = optuna.create_study(
                study_name=variant_id, storage=self._storage, direction=direction, load_if_exists=True
            )
        return self._studies[variant_id]

    def _sampler(self, variant: VariantPlan, number: int) -> BaseSampler:
        seed = seeds.of("sampler", variant.id, number)
        if self._search["sampler"]["use"] != "tpe":
            return RandomSampler(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # of `group`, needed for conditional parameters
            startup = int(self._search["sampler"]["startup"])
            return TPESampler(n_startup_trials=startup, multivariate=True, group=True, seed=seed)

    def _study_id(self, variant_id: str) -> int:
        self._study(variant_id)
        return int(self._storage.get_study_id_from_name(variant_id))

    def _trial_id(self, variant_id: str, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._study_id(variant_id), number))

    def _state(self, variant_id: str, number: int) -> TrialState | None:
        """Return the state of one trial; reading all of them takes longer with each trial."""
        try:
            return self._storage.get_trial(self._trial_id(variant_id, number)).state
        except KeyError:
            return None

    def _trials(self, variant_id: str) -> list[FrozenTrial]:
        return list(self._storage.get_all_trials(self._study_id(variant_id), deepcopy=False))

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Raise an error that names the database if it cannot be used."""
        try:
            yield
        except (StorageInternalError, SQLAlchemyError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            damaged = any(sign in reason for sign in ("malformed", "not a database"))
            remedy = "; move the file away: it is filled again from the journal" if damaged else ""
            raise MachineError(f"the Optuna database {self} cannot be used: {reason}{remedy}") from error


def _relax(engine: Engine) -> None:
    """Let SQLite commit without waiting for the disk: the journal is on the disk, and nothing can be corrupted."""
    if engine.dialect.name != "sqlite":
        return

    def connected(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")

    event.listen(engine, "connect", connected)
    engine.dispose()  # connections made before this one
