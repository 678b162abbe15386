"""`harness study run` and `resume`: from a plan to one table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from harness.cli.app import App, examples, pass_app, show_panel
from harness.cli.commands.resume import check_versions, describe_earlier, show_changed_code, show_last_duration
from harness.cli.options import (
    Duration,
    budget_option,
    heads_option,
    json_option,
    plan_of,
    run_option,
    set_option,
    study_argument,
)
from harness.cli.rendering.atoms import Words
from harness.cli.streams import emit
from harness.cli.views.plan import plan_view
from harness.contract.errors import InputError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.adapters.mlflow.store import MlflowObserver
    from harness.api.execution import Display, TunerName
    from harness.study.run.observers import Observer
    from harness.study.run.run import Outcome


@dataclass(frozen=True)
class Manner:
    """Options of a run that are no part of the study's identity."""

    tuner: TunerName
    time_limit_s: float | None
    heads: bool
    as_json: bool
    quiet: bool


def manner_options(command: Any) -> Any:
    """Add the options that `run` and `resume` share."""
    for option in reversed(
        [
            click.option(
                "--time-limit",
                "time_limit_s",
                type=Duration(),
                metavar="2h",
                help="Stop after this time; the same command resumes the run.",
            ),
            click.option(
                "--tuner",
                type=click.Choice(["ray", "inline"]),
                default="ray",
                show_default=True,
                help="inline runs one trial at a time in this process, without Ray, for debugging.",
            ),
            click.option(
                "--concurrent", type=click.IntRange(1), help="Number of trials at a time; overrides harness.toml."
            ),
            heads_option,
            json_option,
            click.option("--quiet", is_flag=True, help="Print the table only, without plan and progress."),
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
@click.option(
    "--fresh", is_flag=True, help="Start again even if nothing changed; earlier results are renamed, not removed."
)
@click.option(
    "--anew", is_flag=True, help="Train again the variants whose plugins have other code than they were trained with."
)
@pass_app
def run(
    app: App, /, study: str, budget: str | None, sets: tuple[str, ...], fresh: bool, anew: bool, **manner: Any
) -> None:
    """Search every variant, confirm its best trial over seeds, and print one table.

    The same command resumes a run that was stopped and shows the table of a finished one. If the study, the
    data or a plugin changed, it starts again and lists the differences. After Ctrl-C the run can be resumed.
    """
    from harness.api.execution import set_aside, train_anew

    plan = plan_of(app, study, budget, sets)
    if anew and train_anew(plan, app.session):
        plan = plan_of(app, study, budget, sets)
    folder = app.settings.results / plan.directory
    if fresh and folder.exists():
        set_aside(folder)
    _run(app, plan, **manner)


@click.command(epilog=examples("harness study resume gmic_ablation", "harness study resume gmic_ablation --heads"))
@study_argument
@run_option
@manner_options
@pass_app
def resume(app: App, /, study: str, budget: str | None, **manner: Any) -> None:
    """Resume the latest run exactly as it was planned, without repeating --set."""
    from harness.study.journal.folders import find_run, read_plan

    plan = read_plan(find_run(app.settings.results, study, budget))
    check_versions(app, plan)
    _run(app, plan, **manner)


def _run(app: App, plan: Plan, concurrent: int | None, **options: Any) -> None:
    from harness.api.execution import changed_since, earlier_results, execute
    from harness.api.report import write
    from harness.api.tracking import send_report
    from harness.cli.views import show
    from harness.study.results.results import read_results

    manner, session = Manner(**options), app.session
    if concurrent:
        session = replace(session, settings=replace(session.settings, concurrent=concurrent))
    folder, silent = session.settings.results / plan.directory, manner.quiet or manner.as_json
    if not silent:
        app.show(plan_view(plan))
        show_last_duration(app, plan)
        for line in describe_earlier(app, plan, earlier_results(plan, session)):
            app.show(Words(line, "cyan"))
    show_changed_code(app, changed_since(plan, session))
    known = len(app.catalog.broken)
    display = None if silent else _display(app, plan)
    execution = execute(plan, session, tuner=manner.tuner, time_limit_s=manner.time_limit_s, display=display)
    outcome, unsent = execution.outcome, execution.unsent
    # Stopped before anything was written, or the input is wrong: a table would hide the reason.
    if outcome.exit_code == InputError.exit_code or not (folder / "plan.json").exists():
        _say(app, outcome)
        click.get_current_context().exit(outcome.exit_code)
    results = read_results(folder, app.catalog)
    if manner.as_json:
        emit(show.as_json(results, manner.heads, exit_code=outcome.exit_code, unsent=outcome.unsent))
    elif results.state.trials:
        show.show_table(app, results, manner.heads)
    # After the table, which must be on the screen even if the report fails.
    if results.finished and (execution.ran or not (folder / "report" / "report.html").exists()):
        write(results, session)  # independent of the tracking store, which only the sending needs
        unsent = unsent or send_report(results, session)
    if results.state.trials and not manner.as_json:
        show.show_places(app, results)
    _say(app, outcome)
    for item in app.catalog.broken[known:]:
        app.err.print(
            Text(f"not used since it failed during the run: {item.provider}: {item.reason}", "yellow"), soft_wrap=True
        )
    if unsent:
        app.err.print(Text(unsent, "yellow"))
    click.get_current_context().exit(outcome.exit_code)


def _display(app: App, plan: Plan) -> Display:
    def make(store: MlflowObserver, since: int) -> Observer:
        from harness.cli.views.live import LiveDisplay, PlainDisplay

        def tracking() -> str:
            return f"tracking: {store.behind} events behind" if store.behind > 20 or store.problem else ""

        console = app.out
        if console.is_terminal:
            return LiveDisplay(plan, console, lambda: tracking() or "tracking: up to date")
        return PlainDisplay(plan, console, tracking, since)

    return make


def _say(app: App, outcome: Outcome) -> None:
    """Print how the run ended, if there is a message."""
    if outcome.message:
        titles = {0: "done", 1: "some variant failed", 2: "the input is wrong", 3: "the machine failed"}
        title = titles.get(outcome.exit_code, "stopped")
        colour = "yellow" if outcome.exit_code in (0, 130) else "red"
        show_panel(app.err, outcome.message, title, colour)
