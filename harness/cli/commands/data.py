"""`harness data`: which data sets there are, make them ready, and look for what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.progress import Progress

from harness.audit.verdicts import NOT_CHECKED, WRONG, DataCheck
from harness.cli.app import App, examples, pass_app
from harness.cli.options import budget_option, json_option, plan_of
from harness.cli.views.components import component_table, parameter_rows
from harness.cli.views.data_view import findings_view, shortcuts_view, verdict_line
from harness.cli.views.rendering.atoms import Words
from harness.contract.errors import InputError
from harness.contract.types import Split
from harness.study.plan.command_lines import OF_DATA

if TYPE_CHECKING:
    from harness.contract.dataset import Dataset
    from harness.trial.data.cache import Cache


@click.group()
def data() -> None:
    """Data sets: list them, decode them once, check them.

    NAME is a data set, with --set for its parameters, or a study, whose data are then meant.
    """


def data_options(command: Any) -> Any:
    """What `prepare` and `check` share."""
    command = click.option(
        "--set", "sets", metavar="KEY=VALUE", multiple=True, help="A parameter of the data set; several may be given."
    )(command)
    return click.argument("name")(budget_option(command))


@data.command("list", epilog=examples("harness data list"))
@json_option
@pass_app
def list_data(app: App, as_json: bool) -> None:
    """Lists the data sets that are installed, with their parameters."""
    items = [item for item in app.catalog.items() if item[0] == "dataset"]
    if as_json:
        names = ("name", "summary", "source")
        rows = [
            {key: getattr(item, key) for key in names} | {"parameters": parameter_rows(item)} for _, item, _ in items
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    app.show(component_table(items, "dataset"), Words(f"data root: {app.settings.data}", "dim"))


@data.command(
    epilog=examples(
        "harness data prepare phantom_mammograms --set image_size=[128,96]",
        "harness data prepare gmic_ablation --budget standard",
    )
)
@data_options
@json_option
@pass_app
def prepare(app: App, name: str, budget: str | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Decodes every image once, into the cache that all trials share; twice is the same as once."""
    dataset = _dataset(app, name, budget, sets)
    cache = _cache(app, dataset)
    if as_json:
        images = {split: len(dataset.split(split)) for split in get_args(Split)}
        click.echo(json.dumps({"folder": str(cache.folder), "digest": dataset.digest, "images": images}, indent=2))
        return
    click.echo(f"ready: {cache.folder}")


@data.command(
    epilog=examples(
        "harness data check gmic_ablation --budget quick",
        "harness data check gmic_ablation --budget quick --full",
        "harness data check phantom_mammograms --set images=[700,300,50] --full --json",
    )
)
@data_options
@click.option("--full", is_flag=True, help="Decodes every image: duplicates, and what tells the labels.")
@click.option("--again", is_flag=True, help="With --full: checks anew what was checked before.")
@json_option
@pass_app
def check(
    app: App, name: str, budget: str | None, sets: tuple[str, ...], full: bool, again: bool, as_json: bool
) -> None:
    """Counts, and looks for patients and ids in two splits; decodes nothing.

    With --full also: exact and near duplicates across splits and with different labels, and whether the
    labels can be told from exposure, size, border, sharpness or metadata (cross-validation on train and
    val, grouped by patient: from an AUC of .60 on, a model need not have learned the lesion). The
    result is kept; `harness study plan` shows its verdict. Exit code 1 if anything is wrong.
    """
    if again and not full:
        raise InputError("--again belongs to --full: without it nothing is kept")
    dataset = _dataset(app, name, budget, sets)
    found = _full_check(app, dataset, again) if full else _quick_check(dataset)
    (_print_json if as_json else _print_check)(app, found, full)
    click.get_current_context().exit(int(found.verdict in WRONG))


def _quick_check(dataset: Dataset) -> DataCheck:
    from harness.audit.audit import check_dataset

    return DataCheck(digest=dataset.digest, findings=tuple(check_dataset(dataset)))


def _full_check(app: App, dataset: Dataset, again: bool) -> DataCheck:
    """The kept check where data and metadata are what they were, else a new one, which is kept."""
    from harness.audit.datacheck import full_check, metadata_digest
    from harness.study.plan.datacheck import read_check, write_check

    known = None if again else read_check(app.settings.results, dataset.digest)
    if known is not None and known.metadata_digest == metadata_digest(dataset):
        return known
    cache = _cache(app, dataset)
    with app.err.status("comparing images, fitting global features"):
        found = full_check(cache)
    write_check(app.settings.results, found)
    return found


def _print_json(app: App, found: DataCheck, full: bool) -> None:
    """One object; a quick check says what was kept of a full one under `kept`."""
    from harness.study.plan.datacheck import read_check

    values = json.loads(found.to_json())
    if not full:
        kept = read_check(app.settings.results, found.digest)
        values["kept"] = None if kept is None else json.loads(kept.to_json())
    click.echo(json.dumps(values, indent=2))


def _print_check(app: App, found: DataCheck, full: bool) -> None:
    from harness.study.plan.datacheck import check_path, read_check

    app.show(findings_view(found.findings))
    if full:
        kept_at = f"kept: {check_path(app.settings.results, found.digest)}"
        app.show(shortcuts_view(found.shortcuts), verdict_line(found), Words(kept_at, "dim"))
        return
    kept = read_check(app.settings.results, found.digest)
    app.show(Words(f"images: {NOT_CHECKED} (use --full)", "yellow") if kept is None else verdict_line(kept))


def _dataset(app: App, name: str, budget: str | None, sets: tuple[str, ...]) -> Dataset:
    dataset: Dataset = app.catalog.build("dataset", _table(app, name, budget, sets), app.settings.data, where="--set")
    return dataset


def _table(app: App, name: str, budget: str | None, sets: tuple[str, ...]) -> Mapping[str, Any]:
    """The `[dataset]` table that the command line means."""
    from harness.config.merge import merge
    from harness.config.trees import dataset_table
    from harness.study.file.patch import parse_override
    from harness.study.file.spec import find_study

    if name not in app.catalog.names("dataset"):
        try:
            find_study(name)
        except InputError as error:
            known = ", ".join(app.catalog.names("dataset"))
            raise InputError(f"{error}\n(and no data set has this name; there are {known})") from error
        changes = tuple(text if re.match(OF_DATA, text) else f"dataset.{text}" for text in sets)
        plan = plan_of(app, name, budget, changes)
        own = dataset_table(plan)
        if not own:
            raise InputError(f"{plan.path}: this study has no data set: its systems were tested elsewhere")
        return own
    if budget:
        raise InputError(f"--budget belongs to a study; {name!r} is a data set: give its parameters with --set")
    table: dict[str, Any] = {"use": name}
    for text in sets:
        table = dict(merge(table, parse_override(text).table))
    return table


def _cache(app: App, dataset: Dataset) -> Cache:
    from harness.trial.data.cache import Cache

    with Progress(console=app.err, transient=True) as progress:
        task = progress.add_task("decoding", total=None)
        return Cache.ensure(
            dataset, app.settings.cache, lambda done, total: progress.update(task, completed=done, total=total)
        )
