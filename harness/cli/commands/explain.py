"""`harness explain`: where a confirmed model looked in new images, as pictures and as arrays."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.app import App, examples, pass_app
from harness.cli.commands.confirmed import load_models, open_images, refuse_to_overwrite, run_and_manifest
from harness.cli.options import json_option
from harness.cli.views.rendering.atoms import Words
from harness.contract.errors import Problems
from harness.contract.tables import OWN_MAP

if TYPE_CHECKING:
    from harness.trial.predict.predict import Explained


@click.command(
    epilog=examples(
        "harness explain gmic_ablation/gmic new/manifest.csv",
        "harness explain gmic_ablation/gmic/0 new/manifest.csv --explainer native --classes malignant --images 4",
        "harness plugin list explainer",
    )
)
@run_and_manifest
@click.option(
    "--explainer",
    default="native",
    show_default=True,
    metavar="NAME",
    help="`native` is the model's own evidence; `harness plugin list explainer` names the others.",
)
@click.option(
    "--param", "params", metavar="KEY=VALUE", multiple=True, help="A parameter of the explainer; several may be given."
)
@click.option("--classes", metavar="A,B", default="", help="Classes to map, with commas between; without it, all.")
@click.option(
    "--images",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="How many rows of the table, from the first on.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("maps"),
    show_default=True,
    help="The folder for pictures and arrays.",
)
@click.option("--overwrite", is_flag=True, help="Writes into a folder that is there.")
@json_option
@pass_app
def explain(
    app: App,
    /,
    run: str,
    manifest: Path,
    budget: str | None,
    seed: int | None,
    images: int,
    out: Path,
    overwrite: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Maps where a confirmed model looks in new images: a picture of each image and class, and the arrays.

    RUN and MANIFEST are those of `harness predict`: a study, study/variant or study/variant/seed, a folder of
    results or the id of an MLflow run; and a table with a column `image`. Of several confirmed models the maps
    are averaged, as their scores are.

    Pictures are named <number>-<image>-<class>.png: the image, with its true outline where the manifest has
    masks (`mask_<class>`), beside the map laid over it; the bar says what the brightest colour stands for.
    <number>-<image>.npz holds the arrays: `maps` "class h w" in [0, 1] at the size the model sees, `classes`,
    `scores`, `labels`, `id`.
    """
    from harness.reporting.figures.pictures import overlay_figure
    from harness.study.journal.writing import write_file
    from harness.trial.predict.predict import explain_unseen

    refuse_to_overwrite(out, overwrite)
    table = explainer_table(app, asked["explainer"], asked["params"])
    models = load_models(app, run, budget, seed)
    found = open_images(app, models, manifest, images)
    classes = [name.strip() for name in asked["classes"].split(",") if name.strip()]
    written = []
    maps = explain_unseen(models.models, found, app.catalog, table, classes, app.settings.threads)
    for number, item in enumerate(maps):
        stem = f"{number:04d}-{_plain(item.id)}"
        write_file(out / f"{stem}.npz", _arrays(item))
        for place, name in enumerate(item.classes):
            title = f"{models.name}, {table['use']}"
            overlay = one_overlay(item, place, models.models[0].task.classes.index(name))
            write_file(out / f"{stem}-{_plain(name)}.png", overlay_figure(overlay, title, 1))
        written.append({"id": item.id, "file": str(out / f"{stem}.npz")})
    if as_json:
        click.echo(
            json.dumps({"models": models.says, "explainer": table, "out": str(out), "images": written}, indent=2)
        )
        return
    app.show(Words(f"{models.says}: {table['use']}, {len(written)} images", "bold"))
    click.echo(f"written: {out} (a .png of each image and class, a .npz of each image)")


def explainer_table(app: App, name: str, params: tuple[str, ...]) -> dict[str, Any]:
    """The explainer's table, as a study's `[explain]` would hold it.

    Raises:
        InputError: there is no such explainer, it takes no such parameter, or one is not written KEY=VALUE.
    """
    from harness.config.merge import merge
    from harness.study.file.patch import parse_override

    table: dict[str, Any] = {"use": name}
    for text in params:
        table = dict(merge(table, parse_override(text, "--param").table))
    if name == OWN_MAP and not params:  # there even where no plugin provides it
        return table
    app.catalog.get("explainer", name)
    problems = Problems("")
    app.catalog.factory("explainer", table, problems, "--param")
    problems.raise_if_any()
    return table


def one_overlay(item: Explained, place: int, k: int) -> Mapping[str, Any]:
    """One image and class in the form of `harness.contract.tables.OVERLAYS`.

    Args:
        item: the image.
        place: of the class among those that were mapped.
        k: of the class among the task's.
    """
    import numpy as np

    picture = item.picture[..., 0] if item.picture.shape[-1] == 1 else item.picture
    return {
        "images": picture[None],
        "masks": item.outlines[None, [k]],
        "maps": item.maps[None, [place]],
        "ids": np.array([item.id]),
        "labels": item.labels[None, [k]],
        "scores": item.scores[None, [k]],
        "classes": np.array([item.classes[place]]),
    }


def _arrays(item: Explained) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        maps=item.maps,
        classes=np.array(item.classes),
        scores=item.scores,
        labels=item.labels,
        id=np.array(item.id),
    )
    return buffer.getvalue()


def _plain(name: str) -> str:
    """The name with only what every file system takes, its end kept: paths differ there."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-80:].strip("._") or "image"
