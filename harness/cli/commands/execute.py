"""Puts the parts of a run together: tuner, proposer, observers, tracking store. Decides nothing of a study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.app import App
from harness.contract.errors import InputError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.adapters.mlflow.store import MlflowObserver
    from harness.config.settings import Settings
    from harness.study.results.results import Results
    from harness.study.run.observers import Observer
    from harness.study.run.run import Outcome


@dataclass(frozen=True)
class Manner:
    """How a study is run and shown; no part of its identity."""

    tuner: str
    time_limit_s: float | None
    heads: bool
    as_json: bool
    quiet: bool


def execute(app: App, plan: Plan, settings: Settings, manner: Manner) -> tuple[Outcome, str]:
    """Runs the study; how it ended, and what of it the tracking store has not got."""
    from harness.adapters.mlflow.store import MlflowObserver
    from harness.adapters.optuna.search import OptunaProposer
    from harness.config.tracking import artifact_root, tracking_uri
    from harness.study.run.observers import HookObserver
    from harness.study.run.run import run_study

    folder = settings.results / plan.directory
    _make_folder(folder)
    journal = folder / "journal.jsonl"
    since = journal.stat().st_size if journal.exists() else 0
    counts = _counts(app, plan)
    store = MlflowObserver(tracking_uri(settings), folder, artifact_root(settings), counts)
    observers: list[Observer] = [store, HookObserver(app.catalog, plan, folder, since)]
    if not (manner.quiet or manner.as_json):
        observers.append(_display(app, plan, store, since))
    proposer = OptunaProposer(settings.optuna_url or f"sqlite:///{folder / 'optuna.db'}")
    tuner = _tuner(manner.tuner, settings)
    outcome = run_study(plan, settings, app.catalog, tuner, proposer, observers, manner.time_limit_s)
    return outcome, _unsent(outcome.unsent, store.problem) if outcome.unsent else ""


def _make_folder(folder: Path) -> None:
    """Makes the folder of a run.

    Raises:
        InputError: something that is no folder stands in its way.
        OSError: the machine refuses it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError, FileNotFoundError) as error:
        told = f"{folder}: results cannot be kept there: {error.strerror}; see `results` in harness.toml"
        raise InputError(told) from error


def _tuner(name: str, settings: Settings) -> Any:
    if name == "inline":
        from harness.adapters.inline import InlineTuner

        return InlineTuner()
    from harness.adapters.ray.tuner import RayTuner

    return RayTuner(disabled=settings.disabled, address=settings.ray_address, gpus_per_trial=settings.gpus_per_trial)


def _display(app: App, plan: Plan, store: MlflowObserver, since: int) -> Observer:
    from harness.cli.views.live import LiveDisplay, PlainDisplay

    def tracking() -> str:
        return f"tracking: {store.behind} events behind" if store.behind > 20 or store.problem else ""

    console = app.out
    if console.is_terminal:
        return LiveDisplay(plan, console, lambda: tracking() or "tracking: up to date")
    return PlainDisplay(plan, console, tracking, since)


def _counts(app: App, plan: Plan) -> Any:
    """A function that counts the splits: for MLflow's dataset."""
    from harness.config.trees import dataset_table

    def counts() -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        dataset = app.catalog.build("dataset", dataset_table(plan), app.settings.data)
        for name in ("train", "val", "tune_loc", "test"):
            samples = dataset.split(name)
            positives = {
                label: sum(sample.labels[k] == 1 for sample in samples) for k, label in enumerate(dataset.task.classes)
            }
            found[name] = {"images": len(samples), "groups": len({item.group for item in samples}), **positives}
        return found

    return counts


def send_report(app: App, results: Results) -> str:
    """Leaves the report that was written in the tracking store; says so where that cannot be done now."""
    from harness.adapters.mlflow.client import in_brief
    from harness.adapters.mlflow.store import Sender
    from harness.config.tracking import artifact_root, tracking_uri

    sender = Sender(tracking_uri(app.settings), results.folder, artifact_root(app.settings))
    try:
        sender.send()
        sender.figures(_intervals(results))
    except Exception as error:  # whatever the store, or the way to it, raises: the report itself is written
        return f"tracking: the report is not sent yet ({in_brief(error)}); `harness doctor --send` sends it"
    finally:
        sender.close()
    return ""


def _intervals(results: Results) -> dict[str, dict[str, float]]:
    """Each variant's intervals over patients, and its difference to the baseline, under MLflow's names."""
    ids = {variant.name: variant.id for variant in results.plan.variants}
    rows = results.variants.set_index("variant")
    wanted = [name for name in rows.columns if name.endswith(("_low", "_high", "_difference"))]
    found = {}
    for row in rows.reset_index().to_dict("records"):
        found[ids[str(row["variant"])]] = {f"interval/{column}": float(row[column]) for column in wanted}
    return found


def late(app: App, folder: Path, outcome: Outcome) -> tuple[Outcome, str]:
    """How a study that is finished ended, with what of it the tracking store has not got, as from `execute`."""
    from harness.adapters.mlflow.store import unsent
    from harness.config.tracking import tracking_uri

    count = unsent(tracking_uri(app.settings), folder)
    return replace(outcome, unsent=count), _unsent(count) if count else ""


def _unsent(count: int, why: str = "") -> str:
    reason = f" ({why})" if why else ""
    return f"tracking: {count} events are not sent yet{reason}; `harness doctor --send` sends them"
