"""`harness study`: list, plan, show, report and remove. Running a study is in `run`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.commands.resume import show_changed_code, show_last_duration
from harness.cli.commands.run import resume, run
from harness.cli.options import (
    budget_option,
    heads_option,
    json_option,
    plan_of,
    results_of,
    run_option,
    set_option,
    study_argument,
)
from harness.cli.rendering.grid import Grid
from harness.cli.streams import emit
from harness.cli.views.plan import plan_view
from harness.contract.errors import InputError


@click.group()
def study() -> None:
    """Plan, run, show and remove studies.

    STUDY is the path of a TOML file or a name. A name is looked up in ./studies, then among the studies that
    harness ships. A run that was stopped is resumed by the same command.
    """


study.add_command(run)
study.add_command(resume)


@study.command("list", epilog=examples("harness study list", "harness study list --json"))
@json_option
@pass_app
def list_studies(app: App, as_json: bool) -> None:
    """List the studies that can be named, with their runs."""
    from harness.study.file.spec import Study, load_study, study_names
    from harness.study.journal.folders import runs_of

    found: dict[str, Study] = {}
    for name, path in study_names().items():
        try:
            found[name] = load_study(path)
        except InputError as error:  # one file that cannot be read hides no other
            app.err.print(Text(str(error), "yellow"), soft_wrap=True)
    runs = {name: [folder.name for folder in runs_of(app.settings.results, name)] for name in found}
    if as_json:
        rows = [
            {"name": name, "path": str(item.path), "question": item.question, "budgets": list(item.budgets)}
            | {"variants": list(item.variants), "runs": runs[name]}
            for name, item in found.items()
        ]
        emit(json.dumps(rows, indent=2))
        return
    table = Grid("study", "question", "budgets", "runs")
    for name, item in found.items():
        table.add_row(name, item.question, ", ".join(item.budgets), "\n".join(runs[name]) or "none")
    app.show(table)


@study.command(
    epilog=examples(
        "harness study plan gmic_ablation",
        "harness study plan gmic_ablation --budget standard",
        "harness study plan my/study.toml --set gap.train.lr=0.001",
    )
)
@study_argument
@budget_option
@set_option
@json_option
@pass_app
def plan(app: App, study: str, budget: str | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Show what would run, what is skipped and why, without training or decoding."""
    from harness.study.journal.plan_io import plan_to_json

    found = plan_of(app, study, budget, sets)
    if as_json:
        emit(plan_to_json(found))
        return
    app.show(plan_view(found))
    show_last_duration(app, found)


@study.command(epilog=examples("harness study show gmic_ablation", "harness study show gmic_ablation --heads"))
@study_argument
@run_option
@heads_option
@click.option("--units", is_flag=True, help="AUC by diagnosed unit: the score of a breast is the mean over its views.")
@json_option
@pass_app
def show(app: App, study: str, budget: str | None, heads: bool, units: bool, as_json: bool) -> None:
    """Show the table of the latest run, finished or not, and its cost.

    The cost is the number of epochs, of images read with labels and with masks to fit, select and test, and of
    times that any study in the results folder opened the test split of these data. A variant marked † was
    trained with masks.
    """
    from harness.cli.views import show as view
    from harness.study.results.changed import changed_code

    results = results_of(app, study, budget)
    if as_json:
        emit(view.as_json(results, heads, units, **view.costs_of(app, results)))
        return
    view.show_table(app, results, heads, units)
    show_changed_code(app, changed_code(results.plan, results.state, app.catalog))
    view.show_costs(app, results)
    view.show_places(app, results)


@study.command(epilog=examples("harness study report gmic_ablation --budget standard"))
@study_argument
@run_option
@json_option
@pass_app
def report(app: App, study: str, budget: str | None, as_json: bool) -> None:
    """Write the report again as HTML (one file), Markdown and CSV.

    With --json, print one object with the paths.
    """
    from harness.api.report import write

    results = results_of(app, study, budget)
    paths = write(results, app.session)
    if as_json:
        emit(json.dumps({"folder": str(results.folder), "files": [str(path) for path in paths]}, indent=2))
        return
    for path in paths:
        click.echo(path)


@study.command(epilog=examples("harness study rm gmic_ablation --budget quick", "harness study rm gmic_ablation --yes"))
@study_argument
@run_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation; required with --json.")
@json_option
@pass_app
def rm(app: App, study: str, budget: str | None, yes: bool, as_json: bool) -> None:
    """Remove the latest run: its folder, its runs in MLflow and its searches in a shared Optuna database.

    The ledger of test openings is kept: an opened test split cannot be closed again.
    """
    from harness.adapters.mlflow.store import forget
    from harness.config.tracking import tracking_uri
    from harness.study.journal.folders import find_run
    from harness.study.run.lock import StudyLock

    folder = find_run(app.settings.results, study, budget)
    if as_json and not yes:
        raise InputError("--json does not ask for confirmation: add --yes")
    if not yes:
        shared = " and in the shared Optuna database" if app.settings.optuna_url else ""
        if not click.confirm(f"Remove {folder} and its runs in MLflow{shared}?"):
            click.echo("nothing was removed")
            return
    with StudyLock(folder):
        searches = _forget_searches(app, folder)
        forget(tracking_uri(app.settings), folder)
        shutil.rmtree(folder)
    if as_json:
        emit(json.dumps({"removed": str(folder), "optuna_studies": searches}, indent=2))
        return
    click.echo(f"removed {folder}")


def _forget_searches(app: App, folder: Path) -> list[str]:
    """Remove the run's searches from the shared Optuna database and return their names."""
    if app.settings.optuna_url is None:  # the run's own database goes with its folder
        return []
    from harness.adapters.optuna.search import OptunaSampler
    from harness.study.journal.folders import searches_of

    folders = {path.parent for path in app.settings.results.glob("*/*/journal.jsonl")} - {folder}
    # What `--fresh` set aside has lost its searches to the run that came after it.
    kept = set().union(*(searches_of(other) for other in folders if "." not in other.name))
    return OptunaSampler(app.settings.optuna_url).forget(sorted(searches_of(folder) - kept))
