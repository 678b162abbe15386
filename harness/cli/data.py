"""`harness data`: which data sets there are, make them ready, and look for what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.progress import Progress
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.options import budget_option, json_option, plan_of
from harness.cli.tables import figure, plain_table, plugin_table
from harness.contract.errors import InputError
from harness.contract.types import Split

if TYPE_CHECKING:
    from harness.contract.dataset import Dataset
    from harness.trial.cache import Cache

_COLOURS = {"info": "", "warning": "yellow", "error": "red", "clear": "green", "unsure": "yellow", "shortcut": "red"}


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
        rows = [{"name": item.name, "summary": item.summary, "source": item.source} for _, item, _ in items]
        click.echo(json.dumps(rows, indent=2))
        return
    app.out.print(plugin_table(items))
    app.out.print(Text(f"data root: {app.settings.data}", "dim"))


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
        "harness data check phantom_mammograms --set images=[700,300,50]",
    )
)
@data_options
@json_option
@pass_app
def check(app: App, name: str, budget: str | None, sets: tuple[str, ...], as_json: bool) -> None:
    """Counts, looks for leaks between splits, and asks whether global features give the labels away.

    The last is the AUC of logistic regression and a random forest on exposure, size, border and sharpness,
    in grouped cross-validation on train and val: from .60 on, a model need not have learned the lesion.
    Exit code 1 if anything is wrong.
    """
    from harness.trial.audit import check_dataset, shortcut_auc

    dataset = _dataset(app, name, budget, sets)
    cache = _cache(app, dataset)
    findings, shortcuts = check_dataset(dataset, cache), shortcut_auc(cache)
    if as_json:
        rows = {"findings": [asdict(item) for item in findings], "shortcuts": [asdict(item) for item in shortcuts]}
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            app.out.print(Text(finding.message, _COLOURS[finding.level]))
        table = plain_table("class", "from global features by", "AUC", "95 %", "images", "verdict")
        for item in shortcuts:
            interval = f"{figure(item.low)} to {figure(item.high)}"
            verdict = Text(item.verdict, _COLOURS[item.verdict])
            table.add_row(item.class_name, item.model, figure(item.auc), interval, str(item.images), verdict)
        app.out.print(table)
    wrong = any(item.level == "error" for item in findings) or any(item.verdict == "shortcut" for item in shortcuts)
    click.get_current_context().exit(int(wrong))


def _dataset(app: App, name: str, budget: str | None, sets: tuple[str, ...]) -> Dataset:
    dataset: Dataset = app.catalog.build("dataset", _table(app, name, budget, sets), app.settings.data, where="--set")
    return dataset


def _table(app: App, name: str, budget: str | None, sets: tuple[str, ...]) -> Mapping[str, Any]:
    """The `[dataset]` table that the command line means."""
    from harness.study.patch import merge, parse_override
    from harness.study.trees import dataset_table

    if name not in app.catalog.names("dataset"):
        try:
            plan = plan_of(app, name, budget, tuple(f"dataset.{text}" for text in sets))
        except InputError as error:
            known = ", ".join(app.catalog.names("dataset"))
            raise InputError(f"{error}\n(and no data set has this name; there are {known})") from error
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
    from harness.trial.cache import Cache

    with Progress(console=app.err, transient=True) as progress:
        task = progress.add_task("decoding", total=None)
        return Cache.ensure(
            dataset, app.settings.cache, lambda done, total: progress.update(task, completed=done, total=total)
        )
