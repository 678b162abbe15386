"""Confirmed models and new images, as `predict` and `explain` take them from the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.text import Text

from harness.cli.app import App
from harness.contract.errors import InputError, nearest

if TYPE_CHECKING:
    from harness.study.results.confirmed import Chosen
    from harness.trial.model.load import Confirmed
    from harness.trial.predict.predict import Unseen

Command = TypeVar("Command", bound=Callable[..., Any])
RUN_ID = re.compile(r"[0-9a-f]{32}")


def run_and_manifest(command: Command) -> Command:
    """Add the arguments RUN and MANIFEST, and the options that select models."""
    for option in (
        click.option(
            "--seed", type=int, metavar="N", help="Use the model of one seed.  [default: the mean over all seeds]"
        ),
        click.option("--budget", metavar="NAME", help="Use the run of this budget.  [default: the latest run]"),
        click.argument("manifest", type=click.Path(path_type=Path), metavar="MANIFEST"),
        click.argument("run", metavar="RUN"),
    ):
        command = option(command)
    return command


def load_models(app: App, run: str, budget: str | None, seed: int | None) -> tuple[tuple[Confirmed, ...], Chosen]:
    """Return the models that the command line names, rebuilt from their weights, and how they were chosen.

    Raises:
        InputError: there are none, or they cannot be built here.
    """
    from harness.study.results.confirmed import choose_models
    from harness.trial.model.load import load_model

    settings = app.settings
    app.load_files()
    place = _tracked(app, run) if RUN_ID.fullmatch(run) else run
    chosen = choose_models(settings.results, place, budget, seed)
    models = tuple(load_model(path, app.catalog, settings.data, settings.device) for path in chosen.weights)
    if models[0].unlike:
        changed = f"trained with other versions than the installed ones: {', '.join(models[0].unlike)}"
        app.err.print(Text(changed, "yellow"), soft_wrap=True)
    return models, chosen


def open_images(app: App, models: Sequence[Confirmed], manifest: Path, most: int | None = None) -> Unseen:
    """Return the images of the manifest, as these models read them.

    Raises:
        InputError: the table cannot be read, or lacks its column of images.
    """
    from harness.trial.predict.predict import open_unseen

    if not manifest.is_file():
        siblings = [path.name for path in manifest.parent.glob("*.*")] if manifest.parent.is_dir() else []
        raise InputError(f"{manifest}: no such file{nearest(manifest.name, siblings)}")
    return open_unseen(manifest, models[0], app.catalog, app.settings.data, most)


def said_of_training(app: App, models: Sequence[Confirmed], images: Unseen) -> str:
    """Return which of the images the models were trained on, as far as the cache still has those; "" if none."""
    from harness.audit.seen import seen_in_training
    from harness.contract.files import file_name

    ids = [sample.id for sample in images.images.split.samples]
    folders = dict.fromkeys(app.settings.cache / file_name(model.spec.digest) for model in models)
    found = [seen_in_training(folder, ids, iter(images.images.split.images)) for folder in folders]
    return next(filter(None, found), "")


def refuse_to_overwrite(path: Path, overwrite: bool) -> None:
    """Refuse to write where something exists.

    Raises:
        InputError: the path exists, and --overwrite is not given.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; --overwrite replaces it, --out sets another path")


def _tracked(app: App, run_id: str) -> str:
    """Return the place of the results of a run that MLflow has."""
    from harness.adapters.mlflow.client import tags_of
    from harness.config.tracking import tracking_uri

    tags = tags_of(tracking_uri(app.settings), run_id)
    if not {"study", "study_id", "budget", "stage"} <= set(tags):
        raise InputError(f"{run_id}: the tracking store has no harness run with this id")
    folder = app.settings.results / tags["study"] / f"{tags['budget']}-{tags['study_id'][:8]}"
    if tags["stage"] == "confirm":
        return str(folder / "trials" / tags["spec_id"])
    if tags["stage"] == "search":
        raise InputError(f"{run_id}: is a search trial, which keeps no weights; use a confirmation or a variant")
    return str(folder / tags["variant"] if tags["stage"] == "variant" else folder)
