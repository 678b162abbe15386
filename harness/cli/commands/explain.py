"""`harness explain`: saliency maps of a confirmed model on new images, as pictures and as arrays."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.app import App, examples, pass_app
from harness.cli.commands.confirmed import load_models, open_images, refuse_to_overwrite, run_and_manifest
from harness.cli.options import json_option
from harness.cli.rendering.atoms import Words
from harness.cli.streams import emit
from harness.contract.errors import Problems
from harness.contract.files import plain_name
from harness.contract.tables import OWN_MAP

if TYPE_CHECKING:
    from harness.trial.predict.predict import Explained


@click.command(
    epilog=examples(
        "harness explain gmic_ablation/gmic new/manifest.csv",
        "harness explain gmic_ablation/gmic/0 new/manifest.csv --classes malignant",
        "harness plugin list explainer",
    )
)
@run_and_manifest
@click.option(
    "--explainer",
    default="native",
    show_default=True,
    metavar="NAME",
    help="`native` is the model's own saliency; `harness plugin list explainer` lists the others.",
)
@click.option(
    "--param", "params", metavar="KEY=VALUE", multiple=True, help="Set a parameter of the explainer; repeatable."
)
@click.option("--classes", metavar="A,B", default="", help="Classes to map, separated by commas.  [default: all]")
@click.option(
    "--images",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Number of rows of the table, from the first on.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("maps"),
    show_default=True,
    help="Folder for pictures and arrays.",
)
@click.option("--overwrite", is_flag=True, help="Write into an existing folder.")
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
    """Write saliency maps of a confirmed model on new images, as a picture of each class and as arrays.

    RUN and MANIFEST are those of `harness predict`: a study, study/variant or study/variant/seed, a folder of
    results or the id of an MLflow run; and a table with a column `image`. Maps of several confirmed models are
    averaged, as their scores are.

    Pictures are named <number>-<image>-<class>.png. Each shows the image and the map laid over it, with the
    true outline if the manifest has masks (`mask_<class>`). The bar gives the value of the brightest colour.
    <number>-<image>.npz holds the arrays: `maps` "class h w" in [0, 1] at the size of the model's input,
    `classes`, `scores`, `labels`, `id`.
    """
    from harness.reporting.figures.pictures import overlay_figure
    from harness.study.journal.writing import write_file
    from harness.trial.predict.predict import explain_unseen

    refuse_to_overwrite(out, overwrite)
    table = explainer_table(app, asked["explainer"], asked["params"])
    models, chosen = load_models(app, run, budget, seed)
    found = open_images(app, models, manifest, images)
    classes = [name.strip() for name in asked["classes"].split(",") if name.strip()]
    written = []
    maps = explain_unseen(models, found, app.catalog, table, classes, app.settings.threads)
    for number, item in enumerate(maps):
        stem = f"{number:04d}-{plain_name(item.id)}"
        write_file(out / f"{stem}.npz", _arrays(item))
        for place, name in enumerate(item.classes):
            title = f"{chosen.name}, {table['use']}"
            overlay = one_overlay(item, place, models[0].task.classes.index(name))
            write_file(out / f"{stem}-{plain_name(name)}.png", overlay_figure(overlay, title, 1))
        written.append({"id": item.id, "file": str(out / f"{stem}.npz")})
    if as_json:
        emit(json.dumps({"models": chosen.says, "explainer": table, "out": str(out), "images": written}, indent=2))
        return
    app.show(Words(f"{chosen.says}: {table['use']}, {len(written)} images", "bold"))
    click.echo(f"written: {out} (a .png of each image and class, a .npz of each image)")


def explainer_table(app: App, name: str, params: tuple[str, ...]) -> dict[str, Any]:
    """Return the explainer's table, as in the `[explain]` section of a study.

    Raises:
        InputError: the explainer or a parameter does not exist, or a parameter is not written KEY=VALUE.
    """
    from harness.config.merge import merge
    from harness.study.file.patch import parse_override

    table: dict[str, Any] = {"use": name}
    for text in params:
        table = dict(merge(table, parse_override(text, "--param").table))
    if name == OWN_MAP and not params:  # exists even if no plugin provides it
        return table
    app.catalog.get("explainer", name)
    problems = Problems("")
    app.catalog.factory("explainer", table, problems, "--param")
    problems.raise_if_any()
    return table


def one_overlay(item: Explained, place: int, k: int) -> Mapping[str, Any]:
    """Return one image and class in the form of `harness.contract.tables.OVERLAYS`."""
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
