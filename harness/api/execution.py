"""The execution of a plan with its tuner, sampler, observers and tracking store. Takes no decision about the study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.api.session import Session
from harness.contract.errors import InputError, MachineError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.adapters.mlflow.store import MlflowObserver
    from harness.study.results.changed import Changed
    from harness.study.results.results import Results
    from harness.study.run.observers import Observer
    from harness.study.run.run import Outcome

TunerName: TypeAlias = Literal["ray", "inline"]
Display: TypeAlias = "Callable[[MlflowObserver, int], Observer]"
"""A function that returns a display of progress, from the tracking store and the journal's length at the start."""


@dataclass(frozen=True)
class Execution:
    """The end of a plan's execution.

    Args:
        outcome: exit code, failed variants and message.
        unsent: why the tracking store lacks events; empty if it has all.
        ran: False if the study was finished before and nothing was executed.
    """

    outcome: Outcome
    unsent: str
    ran: bool


def execute(
    plan: Plan,
    session: Session,
    *,
    tuner: TunerName = "ray",
    time_limit_s: float | None = None,
    display: Display | None = None,
) -> Execution:
    """Run or resume a plan's study; leave a finished one as it is.

    Raises:
        InputError: another process runs it, results cannot be kept where the settings say, or code has changed
            since an unfinished run.
        MachineError: processes of an earlier run cannot be ended.
    """
    from harness.study.journal.plan_io import plan_to_json

    folder = session.settings.results / plan.directory
    earlier = earlier_results(plan, session)
    if earlier and not earlier.finished and (changed := changed_since(plan, session)):
        raise InputError(f"{changed.says}; {changed.offer}. Or undo the change, and the run continues")
    if earlier and earlier.finished and (folder / "plan.json").read_text() == plan_to_json(plan):
        return _finished_before(session, folder, earlier)
    return _execute(plan, session, folder, tuner, time_limit_s, display)


def earlier_results(plan: Plan, session: Session) -> Results | None:
    """Return the results of an earlier run of this study, or None; unfinished where the plan has new variants."""
    from harness.study.results.results import read_results

    folder = session.settings.results / plan.directory
    if not (folder / "journal.jsonl").exists():
        return None
    try:
        results = replace(read_results(folder, session.catalog), plan=plan)
    except MachineError:  # a damaged plan.json, which the run writes again; a damaged journal stops the run
        return None
    known = all(
        results.state.of_variant(variant.id, "search" if variant.kind == "trained" else "confirm")
        for variant in plan.variants
    )
    controls = [record for record in results.state.trials.values() if record.spec.stage == "control"]
    known = known and (bool(controls) or not plan.confirm.get("label_control"))
    return results if known else replace(results, state=replace(results.state, status="paused"))


def changed_since(plan: Plan, session: Session) -> Changed:
    """Return what of an earlier run of this study was trained with other code than is installed now."""
    from harness.study.journal.folders import read_state
    from harness.study.journal.state import StudyState
    from harness.study.results.changed import changed_code

    folder = session.settings.results / plan.directory
    state = read_state(folder) if (folder / "journal.jsonl").exists() else StudyState()
    return changed_code(plan, state, session.catalog)


def train_anew(plan: Plan, session: Session) -> bool:
    """Mark the variants whose code has changed, so that the next plan trains them again; return False without any."""
    from harness.study.journal.anew import write_anew

    changed = changed_since(plan, session)
    if changed:
        write_anew(session.settings.results / plan.directory, changed.variants)
    return bool(changed)


def set_aside(folder: Path) -> Path:
    """Rename the results of a study so that it starts again; return the new name.

    Raises:
        InputError: the study is running.
    """
    from harness.study.run.lock import StudyLock

    number = 1
    while (target := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    with StudyLock(folder):
        folder.rename(target)
    return target


def _execute(
    plan: Plan,
    session: Session,
    folder: Path,
    tuner: TunerName,
    time_limit_s: float | None,
    display: Display | None,
) -> Execution:
    from harness.adapters.mlflow.store import MlflowObserver
    from harness.adapters.optuna.search import OptunaSampler
    from harness.config.tracking import artifact_root, tracking_uri
    from harness.study.results.results import read_results
    from harness.study.run.observers import HookObserver
    from harness.study.run.run import run_study

    settings, catalog = session.settings, session.catalog
    _make_folder(folder)
    journal = folder / "journal.jsonl"
    since = journal.stat().st_size if journal.exists() else 0
    store = MlflowObserver(tracking_uri(settings), folder, artifact_root(settings), _counts(session, plan))
    results = partial(read_results, folder, catalog)
    plugins = [HookObserver(catalog, name, plan, results, since) for name in catalog.observers()]
    observers: list[Observer] = [store, *plugins]
    if display is not None:
        observers.append(display(store, since))
    sampler = OptunaSampler(settings.optuna_url or f"sqlite:///{folder / 'optuna.db'}")
    outcome = run_study(plan, settings, catalog, _tuner(tuner, session), sampler, observers, time_limit_s)
    return Execution(outcome, _unsent(outcome.unsent, store.problem), ran=True)


def _finished_before(session: Session, folder: Path, earlier: Results) -> Execution:
    from harness.adapters.mlflow.store import unsent
    from harness.config.tracking import tracking_uri
    from harness.study.run.run import Outcome

    count = unsent(tracking_uri(session.settings), folder)
    failed = earlier.failures()
    lines = [f"{name} failed: {reason.strip().splitlines()[-1]}" for name, reason in failed.items()]
    outcome = Outcome(1 if failed else 0, tuple(failed), "\n".join(lines), count, reasons=failed)
    return Execution(outcome, _unsent(count), ran=False)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError, FileNotFoundError) as error:
        message = f"{folder}: results cannot be kept there: {error.strerror}; see `results` in harness.toml"
        raise InputError(message) from error


def _tuner(name: TunerName, session: Session) -> Any:
    if name == "inline":
        from harness.adapters.inline import InlineTuner

        return InlineTuner()
    from harness.adapters.ray.tuner import RayTuner

    settings, deadly = session.settings, session.catalog.deadly  # these would end every worker, too
    return RayTuner(
        disabled=(*settings.disabled, *deadly),
        files=tuple(session.catalog.files.values()),
        address=settings.ray_address,
        gpus_per_trial=settings.gpus_per_trial,
        stall_s=settings.stall_s,
        plugins=settings.plugins,
    )


def _counts(session: Session, plan: Plan) -> Callable[[], dict[str, dict[str, int]]]:
    """Return a function that counts images, groups and positives of the splits, for MLflow's dataset."""
    from harness.config.trees import dataset_table

    def counts() -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        dataset = session.catalog.build("dataset", dataset_table(plan), session.settings.data)
        for name in ("train", "val", "tune_loc", "test"):
            samples = dataset.split(name)
            positives = {
                label: sum(sample.labels[k] == 1 for sample in samples) for k, label in enumerate(dataset.task.classes)
            }
            found[name] = {"images": len(samples), "groups": len({item.group for item in samples}), **positives}
        return found

    return counts


def _unsent(count: int, why: str = "") -> str:
    if not count:
        return ""
    reason = f" ({why})" if why else ""
    return f"tracking: {count} events are not sent yet{reason}; `harness doctor --send` sends them"
