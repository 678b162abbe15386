"""`harness study run` and `resume`: from a plan to one table. Puts parts together, decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.panel import Panel
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.options import (
    Duration,
    budget_option,
    heads_option,
    json_option,
    plan_of,
    set_option,
    study_argument,
)
from harness.cli.tables import plan_view
from harness.contract.errors import InputError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.adapters.mlflow_store import MlflowObserver
    from harness.study.observers import Observer
    from harness.study.results import Results
    from harness.study.run import Outcome
    from harness.study.settings import Settings


@dataclass(frozen=True)
class Manner:
    """How a study is run and shown; no part of its identity."""

    tuner: str
    time_limit_s: float | None
    heads: bool
    as_json: bool
    quiet: bool


def manner_options(command: Any) -> Any:
    """The options that `run` and `resume` share."""
    for option in reversed(
        [
            click.option(
                "--time-limit",
                "time_limit_s",
                type=Duration(),
                metavar="2h",
                help="Ends in good order after that time.",
            ),
            click.option(
                "--tuner",
                type=click.Choice(["ray", "inline"]),
                default="ray",
                show_default=True,
                help="inline runs one trial at a time in this process, without Ray: for debugging.",
            ),
            click.option("--concurrent", type=click.IntRange(1), help="Trials at a time; wins over harness.toml."),
            heads_option,
            json_option,
            click.option("--quiet", is_flag=True, help="No plan and no progress, only the table."),
        ]
    ):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "harness study run gmic_ablation",
        "harness study run gmic_ablation --budget standard --time-limit 4h",
        "harness study run gmic_ablation --set train.epochs=2 --tuner inline",
    )
)
@study_argument
@budget_option
@set_option
@manner_options
@click.option("--fresh", is_flag=True, help="Starts anew even if nothing changed; the old results are set aside.")
@pass_app
def run(app: App, /, study: str, budget: str | None, sets: tuple[str, ...], fresh: bool, **manner: Any) -> None:
    """Searches every variant, confirms its best over seeds, and prints one table.

    The same command resumes a run that was stopped, and shows the table of one that is finished. Where the
    study, the data or a plugin changed, it starts anew and says what differs. Ctrl-C stops in good order.
    """
    plan = plan_of(app, study, budget, sets)
    folder = app.settings.results / plan.directory
    if fresh and folder.exists():
        set_aside(folder)
    _run(app, plan, **manner)


@click.command(epilog=examples("harness study resume gmic_ablation", "harness study resume gmic_ablation --heads"))
@study_argument
@budget_option
@manner_options
@pass_app
def resume(app: App, /, study: str, budget: str | None, **manner: Any) -> None:
    """Goes on with the run that went on last, exactly as it was planned: no --set or --budget to repeat."""
    from harness.study.results import find_run, read_plan

    plan = read_plan(find_run(app.settings.results, study, budget))
    _check_versions(plan)
    _run(app, plan, **manner)


def set_aside(folder: Path) -> Path:
    """Renames a study's results, so that it starts anew; gives the new name.

    Raises:
        InputError: the study is running.
    """
    from harness.study.lock import StudyLock

    number = 1
    while (target := folder.with_name(f"{folder.name}.{number}")).exists():
        number += 1
    with StudyLock(folder):
        folder.rename(target)
    return target


def _run(app: App, plan: Plan, concurrent: int | None, **options: Any) -> None:
    from harness.cli import show
    from harness.study.results import read_results

    manner = Manner(**options)
    settings = replace(app.settings, concurrent=concurrent) if concurrent else app.settings
    folder, earlier = settings.results / plan.directory, _earlier(app, plan)
    if not (manner.quiet or manner.as_json):
        app.out.print(plan_view(plan))
        for line in _what_is_there(app, plan, earlier):
            app.out.print(Text(line, "cyan"))
    if earlier and earlier.finished:
        outcome, unsent = _ended(earlier), _late(app, folder)
    else:
        outcome, unsent = _execute(app, plan, settings, manner)
    if not (folder / "plan.json").exists():  # stopped before anything was written
        _say(app, outcome)
        click.get_current_context().exit(outcome.exit_code)
    results = read_results(folder, app.catalog)
    if results.finished and not (earlier and earlier.finished):
        unsent = unsent or _report(app, results)
    if manner.as_json:
        click.echo(show.as_json(results, manner.heads, exit_code=outcome.exit_code, unsent=outcome.unsent))
    elif results.history.trials:
        show.show_table(app, results, manner.heads)
        show.show_places(app, results)
    _say(app, outcome)
    if unsent:
        app.err.print(Text(unsent, "yellow"))
    click.get_current_context().exit(outcome.exit_code)


def _earlier(app: App, plan: Plan) -> Results | None:
    """What an earlier run of exactly this study left; unfinished where the plan has variants it had not."""
    from harness.study.results import read_results

    folder = app.settings.results / plan.directory
    if not (folder / "journal.jsonl").exists():
        return None
    results = replace(read_results(folder, app.catalog), plan=plan)
    known = all(results.history.of_variant(variant.id, "search") for variant in plan.variants)
    results.history.finished = results.history.finished and known
    return results


def _ended(results: Results) -> Outcome:
    """How a study ended that is not run again."""
    from harness.study.run import Outcome

    failed = results.failures()
    lines = [f"{name} failed: {reason.strip().splitlines()[-1]}" for name, reason in failed.items()]
    return Outcome(1 if failed else 0, tuple(failed), "\n".join(lines), reasons=failed)


def _late(app: App, folder: Path) -> str:
    from harness.adapters.mlflow_store import unsent
    from harness.study.tracking import tracking_uri

    late = unsent(tracking_uri(app.settings), folder)
    return f"tracking: {late} events are not sent yet; `harness doctor --send` sends them" if late else ""


def _execute(app: App, plan: Plan, settings: Settings, manner: Manner) -> tuple[Outcome, str]:
    """Runs the study; how it ended, and what of it the tracking store has not got."""
    from harness.adapters.mlflow_store import MlflowObserver
    from harness.adapters.optuna_search import OptunaProposer
    from harness.study.observers import HookObserver
    from harness.study.run import run_study
    from harness.study.tracking import artifact_root, tracking_uri

    folder = settings.results / plan.directory
    folder.mkdir(parents=True, exist_ok=True)
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
    if not outcome.unsent:
        return outcome, ""
    why = f" ({store.problem})" if store.problem else ""
    return outcome, f"tracking: {outcome.unsent} events are not sent yet{why}; `harness doctor --send` sends them"


def _tuner(name: str, settings: Settings) -> Any:
    if name == "inline":
        from harness.adapters.inline import InlineTuner

        return InlineTuner()
    from harness.adapters.ray_tune import RayTuner

    return RayTuner(disabled=settings.disabled)


def _display(app: App, plan: Plan, store: MlflowObserver, since: int) -> Observer:
    from harness.cli.live import LiveDisplay, PlainDisplay

    def tracking() -> str:
        return f"tracking: {store.behind} events behind" if store.behind > 20 or store.problem else ""

    console = app.out
    if console.is_terminal:
        return LiveDisplay(plan, console, tracking)
    return PlainDisplay(plan, console, tracking, since)


def _counts(app: App, plan: Plan) -> Any:
    """A function that counts the splits: for MLflow's dataset."""

    def counts() -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        dataset = app.catalog.build("dataset", plan.variants[0].tree["dataset"], app.settings.data)
        for name in ("train", "val", "tune_loc", "test"):
            samples = dataset.split(name)
            positives = {
                label: sum(sample.labels[k] == 1 for sample in samples) for k, label in enumerate(dataset.task.classes)
            }
            found[name] = {"images": len(samples), "groups": len({item.group for item in samples}), **positives}
        return found

    return counts


def _report(app: App, results: Results) -> str:
    """Writes the report and leaves it in the tracking store; says so where that cannot be done now."""
    from harness.adapters.mlflow_store import Sender
    from harness.cli.report import make_report
    from harness.study.tracking import artifact_root, tracking_uri

    make_report(app, results)
    sender = Sender(tracking_uri(app.settings), results.folder, artifact_root(app.settings))
    try:
        sender.send()
    except Exception as error:
        return f"tracking: the report is not sent yet ({type(error).__name__}); `harness doctor --send` sends it"
    finally:
        sender.close()
    return ""


def _what_is_there(app: App, plan: Plan, earlier: Results | None) -> Sequence[str]:
    """Whether this resumes, is finished, or differs from the run before."""
    from harness.cli.show import progress_of
    from harness.study.results import read_plan, runs_of
    from harness.study.trees import differences

    if earlier is not None:
        if earlier.finished:
            return ["finished before: this is its table (--fresh runs it anew)"]
        return [f"resuming: {progress_of(earlier)}"]
    others = runs_of(app.settings.results, plan.study, plan.budget)
    if not others:
        return []
    before = read_plan(others[0])
    changed = differences(_identity(before), _identity(plan)) or ["the harness's own way of naming studies"]
    return [f"starting anew; since {others[0].name} has changed:", *(f"  {line}" for line in changed)]


def _identity(plan: Plan) -> dict[str, Any]:
    parts = {
        "search": plan.search,
        "confirm": plan.confirm,
        "plugins": plan.plugins,
        "data digest": plan.dataset_digest,
    }
    return {**plan.tree, **parts, "objective": {"metric": plan.objective.metric, "mode": plan.objective.mode}}


def _check_versions(plan: Plan) -> None:
    """Refuses to go on with other plugins than the trials so far had."""
    changed = []
    for name, planned in plan.plugins.items():
        try:
            here = version(name)
        except PackageNotFoundError:
            here = "not installed"
        if here != planned:
            changed.append(f"{name} was {planned}, is {here}")
    if changed:
        raise InputError(f"{plan.directory} was begun with other plugins: {'; '.join(changed)}. `run` starts anew.")


def _say(app: App, outcome: Outcome) -> None:
    """How it ended, where that needs saying."""
    if outcome.message:
        titles = {0: "done", 1: "some variant failed", 2: "the input is wrong", 3: "the machine failed"}
        title = titles.get(outcome.exit_code, "stopped")
        colour = "yellow" if outcome.exit_code in (0, 130) else "red"
        app.err.print(Panel(Text(outcome.message), title=f"harness: {title}", title_align="left", border_style=colour))
