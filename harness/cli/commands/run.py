"""`harness study run` and `resume`: from a plan to one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.panel import Panel
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.commands.execute import Manner, execute, late, send_report
from harness.cli.commands.resume import check_versions, earlier_results, ended, show_took, what_is_there
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
from harness.cli.views.tables import plan_view
from harness.contract.errors import InputError
from harness.contract.types import Plan

if TYPE_CHECKING:
    from harness.study.run.run import Outcome


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
@run_option
@manner_options
@pass_app
def resume(app: App, /, study: str, budget: str | None, **manner: Any) -> None:
    """Goes on with the run that went on last, exactly as it was planned: no --set to repeat."""
    from harness.study.journal.folders import find_run, read_plan

    plan = read_plan(find_run(app.settings.results, study, budget))
    check_versions(app, plan)
    _run(app, plan, **manner)


def set_aside(folder: Path) -> Path:
    """Renames a study's results, so that it starts anew; gives the new name.

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


def _run(app: App, plan: Plan, concurrent: int | None, **options: Any) -> None:
    from harness.cli.commands.report import make_report
    from harness.cli.views import show
    from harness.study.journal.plan_io import plan_to_json
    from harness.study.results.results import read_results

    manner = Manner(**options)
    settings = replace(app.settings, concurrent=concurrent) if concurrent else app.settings
    folder, earlier = settings.results / plan.directory, earlier_results(app, plan)
    if not (manner.quiet or manner.as_json):
        app.out.print(plan_view(plan))
        show_took(app, plan)
        for line in what_is_there(app, plan, earlier):
            app.out.print(Text(line, "cyan"))
    known = len(app.catalog.broken)
    ran = not (earlier and earlier.finished and (folder / "plan.json").read_text() == plan_to_json(plan))
    if earlier and not ran:
        outcome, unsent = late(app, folder, ended(earlier))
    else:
        outcome, unsent = execute(app, plan, settings, manner)
    # Stopped before anything was written, or the input is wrong: a table of what that left would hide why.
    if outcome.exit_code == InputError.exit_code or not (folder / "plan.json").exists():
        _say(app, outcome)
        click.get_current_context().exit(outcome.exit_code)
    results = read_results(folder, app.catalog)
    if manner.as_json:
        click.echo(show.as_json(results, manner.heads, exit_code=outcome.exit_code, unsent=outcome.unsent))
    elif results.history.trials:
        show.show_table(app, results, manner.heads)
    # After the table: hours of training are on the screen, whatever becomes of the report.
    if results.finished and (ran or not (folder / "report" / "report.html").exists()):
        make_report(app, results)  # whatever the tracking store has: only the sending depends on it
        unsent = unsent or send_report(app, results)
    if results.history.trials and not manner.as_json:
        show.show_places(app, results)
    _say(app, outcome)
    for item in app.catalog.broken[known:]:
        app.err.print(Text(f"left out during the run: {item.provider}: {item.reason}", "yellow"), soft_wrap=True)
    if unsent:
        app.err.print(Text(unsent, "yellow"))
    click.get_current_context().exit(outcome.exit_code)


def _say(app: App, outcome: Outcome) -> None:
    """How it ended, where that needs saying."""
    if outcome.message:
        titles = {0: "done", 1: "some variant failed", 2: "the input is wrong", 3: "the machine failed"}
        title = titles.get(outcome.exit_code, "stopped")
        colour = "yellow" if outcome.exit_code in (0, 130) else "red"
        app.err.print(Panel(Text(outcome.message), title=f"harness: {title}", title_align="left", border_style=colour))
