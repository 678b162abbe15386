"""`harness predict`: score new images with a confirmed model."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.app import App, examples, pass_app
from harness.cli.commands.confirmed import (
    load_models,
    open_images,
    refuse_to_overwrite,
    run_and_manifest,
    said_of_training,
)
from harness.cli.options import json_option
from harness.cli.rendering.atoms import Words
from harness.cli.rendering.grid import Grid
from harness.cli.streams import emit
from harness.cli.views.numbers import three_digits
from harness.contract.errors import InputError
from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")


@click.command(
    epilog=examples(
        "harness predict gmic_ablation/gmic new/manifest.csv",
        "harness predict gmic_ablation/gmic/0 new/manifest.csv --out scores.parquet",
        "harness predict results/gmic_ablation/quick-1a2b3c4d new/manifest.csv",
    )
)
@run_and_manifest
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("predictions.csv"),
    show_default=True,
    help="Path of the table, .csv or .parquet.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@json_option
@pass_app
def predict(
    app: App,
    run: str,
    manifest: Path,
    budget: str | None,
    seed: int | None,
    out: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Score new images with a confirmed model and write a table of predictions.

    RUN is a study, study/variant or study/variant/seed; the folder of a study's results or of one confirmed
    trial; or the id of a run in MLflow. Without a variant, the best variant on the validation split is used and
    printed. Without a seed, scores are averaged over all confirmed models of the variant.

    MANIFEST is a CSV or Parquet table with a column `image`: paths relative to the table. A model that was
    trained on a manifest reads the columns of that manifest. Columns `label_<class>` (1, 0 or empty) and the
    patient are copied if present. Images are resized to the size the model was trained on. An image with
    another number of channels is refused, unless the model's own manifest states how to convert it.

    The table has a row for each image, class and head. Its columns are study, variant, seed, fold, split
    ("new"), id, unit, group, class, label, head ("output" is the model's own score) and score in [0, 1].
    """
    from harness.study.journal.writing import write_file
    from harness.trial.predict.predict import predict_unseen

    if out.suffix not in SUFFIXES:
        raise InputError(f"--out {out}: the table is written as {' or '.join(SUFFIXES)}, found {out.suffix!r}")
    refuse_to_overwrite(out, overwrite)
    models, chosen = load_models(app, run, budget, seed)
    images = open_images(app, models, manifest)
    table = predict_unseen(models, images, app.settings.threads)
    write_file(out, _bytes(table, out.suffix))
    rows = summary(table, models[0].task.classes)
    seen = said_of_training(app, models, images)
    if as_json:
        facts = {"models": chosen.says, "images": len(images), "out": str(out), "in_training": seen, "classes": rows}
        emit(json.dumps(facts, indent=2))
        return
    numbers = ("mean score", "above .5", "labelled", "AUC")
    shown = Grid("class", *numbers, right=numbers)
    for row in rows:
        cells = [three_digits(row["mean"]), str(row["above"]), str(row["labelled"]), three_digits(row[RANKED])]
        shown.add_row(row["class"], *cells)
    app.show(Words(f"{chosen.says}: {len(images)} images", "bold"), shown)
    if seen:
        app.show(Words(f"warning: {seen}", "yellow"))
    click.echo(f"written: {out}")


def summary(table: pd.DataFrame, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return for each class the mean score, the images above .5, the labelled images, and their AUC or None."""
    from harness.metrics.functional import auroc, to_arrays

    own = table[table["head"] == OWN_HEAD]
    labels, scores = to_arrays(own, classes)
    aucs = auroc(labels, scores, classes)
    return [
        {
            "class": name,
            "mean": float(scores[:, k].mean()),
            "above": int((scores[:, k] > 0.5).sum()),
            "labelled": sum(not math.isnan(label) for label in labels[:, k]),
            RANKED: None if math.isnan(aucs[name]) else aucs[name],
        }
        for k, name in enumerate(classes)
    ]


def _bytes(table: pd.DataFrame, suffix: str) -> bytes:
    from harness.contract.tables import to_bytes

    return to_bytes(table, "predictions") if suffix == ".parquet" else table.to_csv(index=False).encode()
