"""`harness data`: list, prepare and check data sets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

import click
from rich.progress import Progress

from harness.api.kit.described import parameter_rows
from harness.audit.verdicts import NOT_CHECKED, WRONG, DataCheck
from harness.cli.app import App, examples, pass_app
from harness.cli.options import budget_option, json_option, plan_of
from harness.cli.rendering.atoms import Words
from harness.cli.streams import emit
from harness.cli.views.components import component_table
from harness.cli.views.data_view import findings_view, shortcuts_view, verdict_line
from harness.contract.errors import InputError
from harness.contract.types import Split
from harness.study.plan.command_lines import OF_DATA

if TYPE_CHECKING:
    from harness.contract.dataset import Dataset
    from harness.trial.data.cache import Cache


@click.group()
def data() -> None:
    """List, prepare and check data sets.

    NAME is a data set, with --set for its parameters, or a study, whose data set is used.
    """


def data_options(command: Any) -> Any:
    """Add the argument and options that `prepare` and `check` share."""
    command = click.option(
        "--set", "sets", metavar="KEY=VALUE", multiple=True, help="Set a parameter of the data set; repeatable."
    )(command)
    return click.argument("name")(budget_option(command))


@data.command("list", epilog=examples("harness data list"))
@json_option
@pass_app
def list_data(app: App, as_json: bool) -> None:
    """List the installed data sets with their parameters."""
    items = [item for item in app.catalog.items() if item[0] == "dataset"]
    if as_json:
        names = ("name", "summary", "source")
        rows = [
            {key: getattr(item, key) for key in names} | {"parameters": parameter_rows(item)} for _, item, _ in items
        ]
        emit(json.dumps(rows, indent=2))
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
    """Decode every image once into the cache that all trials share.

    Images that are in the cache already are not decoded again.
    """
    dataset = _dataset(app, name, budget, sets)
    cache = _cache(app, dataset)
    if as_json:
        images = {split: len(dataset.split(split)) for split in get_args(Split)}
        emit(json.dumps({"folder": str(cache.folder), "digest": dataset.digest, "images": images}, indent=2))
        return
    click.echo(f"ready: {cache.folder}")


@data.command(
    epilog=examples(
        "harness data check gmic_ablation --budget quick",
        "harness data check gmic_ablation --budget quick --full",
        "harness data check phantom_mammograms --set images=[700,300,50] --full",
    )
)
@data_options
@click.option("--full", is_flag=True, help="Decode every image; look for duplicates and shortcuts.")
@click.option("--again", is_flag=True, help="With --full, repeat a check whose result was kept.")
@json_option
@pass_app
def check(
    app: App, name: str, budget: str | None, sets: tuple[str, ...], full: bool, again: bool, as_json: bool
) -> None:
    """Count images and labels, and find patients and ids that occur in two splits.

    Without --full no image is decoded. With --full, also find exact and near duplicates across splits and with
    different labels, and shortcuts: labels that can be predicted from exposure, size, border, sharpness or
    metadata. Shortcuts are tested by cross-validation on train and val, grouped by patient. From an AUC of .60
    on, a model may score well without having learned the lesion. The result is kept; `harness study plan` shows
    its verdict. The exit code is 1 if anything is wrong.
    """
    if again and not full:
        raise InputError("--again belongs to --full: without --full no result is kept")
    dataset = _dataset(app, name, budget, sets)
    found = _full_check(app, dataset, again) if full else _quick_check(dataset)
    (_print_json if as_json else _print_check)(app, found, full)
    click.get_current_context().exit(int(found.verdict in WRONG))


def _quick_check(dataset: Dataset) -> DataCheck:
    from harness.audit.audit import check_dataset

    return DataCheck(digest=dataset.digest, findings=tuple(check_dataset(dataset)))


def _full_check(app: App, dataset: Dataset, again: bool) -> DataCheck:
    """Return the kept check if data and metadata are unchanged, else make a new check and keep it."""
    from harness.audit.datacheck import full_check, metadata_digest
    from harness.audit.sheet import contact_sheet
    from harness.study.journal.writing import write_file
    from harness.study.plan.datacheck import read_check, sheet_path, write_check

    known = None if again else read_check(app.settings.results, dataset.digest)
    if known is not None and known.metadata_digest == metadata_digest(dataset):
        return known
    cache = _cache(app, dataset)
    with app.err.status("comparing images, fitting global features"):
        found = full_check(cache)
    write_check(app.settings.results, found)
    if (sheet := contact_sheet(cache, found.findings)) is not None:
        write_file(sheet_path(app.settings.results, found.digest), sheet)
    return found


def _print_json(app: App, found: DataCheck, full: bool) -> None:
    """Print one object; a quick check has the kept full check under `kept`."""
    from harness.study.plan.datacheck import read_check

    values = json.loads(found.to_json())
    if not full:
        kept = read_check(app.settings.results, found.digest)
        values["kept"] = None if kept is None else json.loads(kept.to_json())
    emit(json.dumps(values, indent=2))


def _print_check(app: App, found: DataCheck, full: bool) -> None:
    from harness.study.plan.datacheck import check_path, read_check, sheet_path

    app.show(findings_view(found.findings))
    if full:
        kept_at = f"kept: {check_path(app.settings.results, found.digest)}"
        sheet = sheet_path(app.settings.results, found.digest)
        kept_at += f"\npairs: {sheet}" if sheet.exists() else ""
        app.show(shortcuts_view(found.shortcuts), verdict_line(found), Words(kept_at, "dim"))
        return
    kept = read_check(app.settings.results, found.digest)
    app.show(Words(f"images: {NOT_CHECKED} (use --full)", "yellow") if kept is None else verdict_line(kept))


def _dataset(app: App, name: str, budget: str | None, sets: tuple[str, ...]) -> Dataset:
    app.load_files()
    dataset: Dataset = app.catalog.build("dataset", _table(app, name, budget, sets), app.settings.data, where="--set")
    return dataset


def _table(app: App, name: str, budget: str | None, sets: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the `[dataset]` table that the command line names."""
    from harness.config.merge import merge
    from harness.config.trees import dataset_table
    from harness.study.file.patch import parse_override
    from harness.study.file.spec import find_study

    if app.catalog.address("dataset", name) is None:
        try:
            find_study(name)
        except InputError as error:
            known = ", ".join(app.catalog.names("dataset"))
            raise InputError(f"{error}\n(and no data set has this name; allowed are {known})") from error
        changes = tuple(text if re.match(OF_DATA, text) else f"dataset.{text}" for text in sets)
        plan = plan_of(app, name, budget, changes)
        own = dataset_table(plan)
        if not own:
            raise InputError(f"{plan.path}: this study has no data set: its predictions were made elsewhere")
        return own
    if budget:
        raise InputError(f"--budget belongs to a study; {name!r} is a data set: set its parameters with --set")
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
