"""`harness predict` and `harness explain`: new images through the models that a study confirmed."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
from click.testing import CliRunner, Result
from PIL import Image

from harness.adapters.mlflow.client import connect
from harness.cli.app import App
from harness.cli.main import build_cli
from harness.contract.components import Component
from harness.contract.files import plain_name
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.tables import PREDICTIONS, from_bytes
from harness.study.results.results import Results, read_results
from harness.testing.fakes import CLASSES, build_squares, tiny_catalog

# MLflow's own queries use an option that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")


def build_ramp(*, steep: float = 1.0) -> Any:
    """An explainer whose map is known: it rises from left to right."""
    import torch

    from harness.nn import Explainer

    class Ramp(Explainer):
        def explain(self, model: Any, batch: Any, classes: Any) -> Any:
            count, _, high, wide = batch.images.shape
            return (torch.linspace(0, 1, wide) ** steep).expand(count, high, wide)

    return Ramp()


def build_unable() -> Any:
    """An explainer that suits no model."""
    from harness.nn import Explainer

    class Unable(Explainer):
        def explain(self, model: Any, batch: Any, classes: Any) -> Any:
            raise TypeError("there is no layer to look at.")

    return Unable()


class Extras:
    @hookimpl
    def harness_explainers(self) -> Iterable[Component[Any]]:
        yield Component(name="ramp", build=build_ramp, summary="rises from left to right")
        yield Component(name="unable", build=build_unable, summary="cannot explain anything")


def ask(folder: Path, *arguments: str) -> Result:
    """`harness ...` in a folder, with the tiny components, manifests and two explainers."""
    import harness_datasets

    with contextlib.chdir(folder):
        app = App(folder)
        app.catalog = tiny_catalog()
        app.catalog.register(harness_datasets)
        app.catalog.register(Extras())
        runner = CliRunner(env={"COLUMNS": "200", "HARNESS_DATA": None, "XDG_CACHE_HOME": str(folder / "xdg")})
        return runner.invoke(build_cli(app), list(arguments), catch_exceptions=False)


def words(text: str) -> str:
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


def write_manifest(folder: Path, labels: bool = True, colour: bool = False) -> Path:
    """The test images of `squares` as PNG files, with a table: what a hospital might send."""
    dataset = build_squares(folder, images=12)
    (folder / "images").mkdir(parents=True)
    rows = []
    for sample in dataset.split("test"):
        image = dataset.read(sample)
        pixels = np.stack([image, image // 2, image], 2) if colour else image
        Image.fromarray(pixels).save(folder / "images" / f"{sample.id}.png")
        Image.fromarray(dataset.read_mask(sample)[0] * np.uint8(255)).save(folder / "images" / f"{sample.id}-mask.png")
        row = {"image": f"images/{sample.id}.png"}
        if labels:
            row |= {"patient_id": sample.group, "mask_bright": f"images/{sample.id}-mask.png"}
            row |= {f"label_{name}": f"{sample.labels[k]:.0f}" for k, name in enumerate(CLASSES)}
        rows.append(row)
    with (folder / "new.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "new.csv"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write_manifest(tmp_path / "hospital")


@pytest.fixture(scope="module")
def results(finished: Any) -> Results:
    folder = next(finished.folder.glob("results/tiny/*/plan.json")).parent
    return read_results(folder, tiny_catalog())


def stored_scores(results: Results, variant: str, seed: int | None = None) -> pd.Series[float]:
    """What the study's own confirmations gave on the same images, by image, class and head; the mean over seeds."""
    table = results.predictions
    table = table[(table["split"] == "test") & (table["variant"] == variant)]
    table = table if seed is None else table[table["seed"] == seed]
    return table.groupby(["id", "class", "head"])["score"].mean()


def scores_in(table: pd.DataFrame) -> pd.Series[float]:
    names = table["id"].str.removeprefix("images/").str.removesuffix(".png")
    return table.assign(id=names).set_index(["id", "class", "head"])["score"]


def agree(found: pd.Series[float], expected: pd.Series[float]) -> None:
    assert len(found) == len(expected)
    assert np.abs((found - expected).to_numpy()).max() < 1e-6  # NaN where an image, class or head has no partner


@pytest.mark.parametrize(("run", "seed"), [("tiny/wide", None), ("tiny/wide/1", 1), ("tiny.toml/narrow/0", 0)])
def test_the_scores_of_a_file_are_those_that_the_study_gave_its_image(
    finished: Any, results: Results, manifest: Path, tmp_path: Path, run: str, seed: int | None
) -> None:
    out = tmp_path / "scores.parquet"
    done = ask(finished.folder, "predict", run, str(manifest), "--out", str(out))
    assert done.exit_code == 0, done.output
    table = from_bytes(out.read_bytes())
    assert tuple(table.columns) == PREDICTIONS and set(table["split"]) == {"new"}
    agree(scores_in(table), stored_scores(results, run.split("/")[1], seed))
    assert table["seed"].isna().all() if seed is None else (table["seed"] == seed).all()
    assert ("mean over seeds 0, 1" in done.stdout) == (seed is None)


def test_a_score_does_not_hang_on_what_else_is_in_the_table(finished: Any, manifest: Path, tmp_path: Path) -> None:
    """One 16-bit image among those of 8 bits must not change how the others are read."""
    table = pd.read_csv(manifest)
    deep = manifest.parent / "images/deep.png"
    Image.fromarray(np.arange(1, 32 * 32 + 1, dtype=np.uint16).reshape(32, 32) * 60).save(deep)
    mixed = manifest.with_name("mixed.csv")
    rows = pd.concat([table[["image"]], pd.DataFrame({"image": ["images/deep.png"]})])
    rows.to_csv(mixed, index=False)
    found = []
    for path in (manifest, mixed):
        out = tmp_path / f"{path.stem}.csv"
        done = ask(finished.folder, "predict", "tiny/wide", str(path), "--out", str(out))
        assert done.exit_code == 0, done.output
        found.append(scores_in(pd.read_csv(out)))
    agree(found[0], found[1].drop(index="deep", level="id"))


def test_labels_and_patients_are_taken_over_and_summed_up(finished: Any, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    done = ask(finished.folder, "predict", "tiny/wide", str(manifest), "--out", str(out), "--json")
    table, told = pd.read_csv(out), json.loads(done.stdout)
    own = table[(table["head"] == "output") & (table["class"] == "dark")]
    assert set(own["label"]) == {0, 1} and own["group"].str.startswith("test-p").all()
    (row,) = [row for row in told["classes"] if row["class"] == "dark"]
    pairs = [(p > n) + 0.5 * (p == n) for p in own[own.label == 1].score for n in own[own.label == 0].score]
    assert row["auroc"] == pytest.approx(np.mean(pairs)) and row["labelled"] == told["images"] == 12
    assert row["mean"] == pytest.approx(own["score"].mean())


def test_a_table_of_image_paths_alone_is_enough(finished: Any, results: Results, tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "bare", labels=False)
    table = pd.read_csv(manifest)
    table.to_parquet(manifest.with_suffix(".parquet"))
    assert list(table.columns) == ["image"]
    for path in (manifest, manifest.with_suffix(".parquet")):
        out = tmp_path / f"{path.suffix[1:]}.csv"
        done = ask(finished.folder, "predict", "tiny/wide", str(path), "--out", str(out))
        assert done.exit_code == 0, done.output
        found = pd.read_csv(out)
        agree(scores_in(found), stored_scores(results, "wide"))
        assert found["label"].isna().all() and (found["group"] == found["id"]).all()


def test_a_model_needs_neither_its_study_nor_its_data(
    finished: Any, results: Results, manifest: Path, tmp_path: Path
) -> None:
    trial = next(r for r in results.records() if r.spec.stage == "confirm" and r.spec.variant == "wide")
    alone = tmp_path / "elsewhere" / "model"
    alone.mkdir(parents=True)
    shutil.copy(results.folder / "trials" / trial.spec.id / "weights.safetensors", alone)
    for run in (str(alone), str(alone / "weights.safetensors"), str(results.folder / "trials" / trial.spec.id)):
        out = tmp_path / "scores.csv"
        done = ask(tmp_path, "predict", run, str(manifest), "--out", str(out), "--overwrite")
        assert done.exit_code == 0, done.output
        agree(scores_in(pd.read_csv(out)), stored_scores(results, "wide", trial.spec.seed))


def test_without_a_variant_the_best_on_validation_is_taken_and_said(
    finished: Any, results: Results, manifest: Path, tmp_path: Path
) -> None:
    trials = results.trials
    confirmed = trials[trials["stage"] == "confirm"]
    best = confirmed.groupby("variant", sort=False)["value"].mean().idxmax()
    for number, run in enumerate(("tiny", str(results.folder), "results/tiny")):
        out = tmp_path / f"{number}.csv"
        done = ask(finished.folder, "predict", run, str(manifest), "--out", str(out))
        assert f"tiny/{best} (best val/auroc of 2 variants), mean over seeds 0, 1" in done.stdout
        agree(scores_in(pd.read_csv(out)), stored_scores(results, str(best)))


def test_a_run_of_mlflow_names_its_model(finished: Any, results: Results, manifest: Path, tmp_path: Path) -> None:
    client = connect(f"sqlite:///{finished.folder / 'results' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    runs = {run.data.tags["harness.key"]: run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    trial = next(r for r in results.records() if r.spec.stage == "confirm" and r.spec.seed == 1)
    for key, variant, seed in (
        (trial.spec.id, trial.spec.variant, 1),
        (results.plan.variants[1].id, "wide", None),
    ):
        out = tmp_path / f"{seed}.csv"
        done = ask(finished.folder, "predict", runs[key], str(manifest), "--out", str(out))
        assert done.exit_code == 0, done.output
        agree(scores_in(pd.read_csv(out)), stored_scores(results, variant, seed))
    searched = next(r for r in results.records() if r.spec.stage == "search")
    refused = ask(finished.folder, "predict", runs[searched.spec.id], str(manifest), "--out", str(tmp_path / "x.csv"))
    assert refused.exit_code == 2 and "keeps no weights" in words(refused.stderr)
    unknown = ask(finished.folder, "predict", "0" * 32, str(manifest), "--out", str(tmp_path / "x.csv"))
    assert unknown.exit_code == 2 and "no harness run with this id" in words(unknown.stderr)


@pytest.mark.parametrize(
    ("run", "more", "told"),
    [
        ("tyny", (), "did you mean 'tiny'?"),
        ("tiny/wyde", (), "no variant named 'wyde'; did you mean 'wide'? (there are: narrow, wide)"),
        ("tiny/wide/7", (), "'wide' has no confirmation of seed 7; there are 0, 1"),
        ("tiny/wide/x", (), "study, variant and seed expected, as in tiny/narrow/0"),
        ("tiny/wide/0", ("--seed", "1"), "names seed 0, --seed another one: 1"),
        ("tiny", ("--budget", "standard"), "at budget 'standard'"),
        ("tiny/wide", ("--out", "scores.xlsx"), ".csv or .parquet, found '.xlsx'"),
        ("..", (), "no study of that name was run"),
    ],
)
def test_a_wrong_run_is_named_with_what_there_is(
    finished: Any, manifest: Path, run: str, more: tuple[str, ...], told: str
) -> None:
    done = ask(finished.folder, "predict", run, str(manifest), *more)
    assert done.exit_code == 2 and told in words(done.stderr), done.output


def test_what_is_wrong_with_the_images_is_named(finished: Any, manifest: Path, tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        done = ask(finished.folder, "predict", "tiny/wide", str(path), "--out", str(tmp_path / "x.csv"))
        assert done.exit_code == 2 and not (tmp_path / "x.csv").exists(), done.output
        return words(done.stderr)

    assert "no such file; did you mean 'new.csv'?" in refused(manifest.with_name("newe.csv"))
    (manifest.parent / "wrong.csv").write_text("imag\nimages/test0.png\n")
    assert "no column named 'image'; did you mean 'imag'?" in refused(manifest.parent / "wrong.csv")
    (manifest.parent / "up.csv").write_text("image\n../other.png\n")
    assert "row 2: image: '../other.png' climbs out of the data root" in refused(manifest.parent / "up.csv")
    whole = (manifest.parent / "images" / "test3.png").read_bytes()
    (manifest.parent / "images" / "test3.png").write_bytes(whole[: len(whole) // 2])
    assert "row 5: images/test3.png cannot be read" in refused(manifest)
    told = refused(write_manifest(tmp_path / "coloured", colour=True))
    assert "row 2: images/test0.png has 3 channels, 1 expected" in told


def test_a_damaged_or_foreign_file_of_weights_is_named(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "model" / "weights.safetensors"
    for content in (b"not weights", safetensors.torch.save({})):
        path.write_bytes(content)
        done = ask(tmp_path, "predict", str(path), str(manifest))
        assert done.exit_code == 2 and "weights.safetensors:" in words(done.stderr).replace(" ", "")


def test_nothing_is_overwritten_unless_asked(finished: Any, manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    out.write_text("mine")
    for command, place in (("predict", out), ("explain", tmp_path)):
        done = ask(finished.folder, command, "tiny/wide", str(manifest), "--out", str(place))
        assert done.exit_code == 2 and "--overwrite replaces it" in words(done.stderr), done.output
    assert out.read_text() == "mine"


def test_native_maps_are_the_models_own_saliency(
    finished: Any, results: Results, manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "maps"
    done = ask(finished.folder, "explain", "tiny/wide/0", str(manifest), "--out", str(out), "--images", "20")
    assert done.exit_code == 0, done.output
    trial = next(r for r in results.records() if (r.spec.stage, r.spec.variant, r.spec.seed) == ("confirm", "wide", 0))
    kept = np.load(results.folder / "trials" / trial.spec.id / "overlays.npz")
    found = {str(item["id"]): item for item in map(np.load, sorted(out.glob("*.npz")))}
    assert len(found) == 12 and len(list(out.glob("*.png"))) == 12 * len(CLASSES)
    for place, key in enumerate(kept["ids"]):
        item = found[f"images/{key}.png"]
        upsampled = kept["maps"][place].repeat(2, axis=1).repeat(2, axis=2)
        assert np.abs(item["maps"] - upsampled).max() < 1e-3  # the study keeps 16 bits of a map
        assert np.abs(item["scores"] - kept["scores"][place]).max() < 1e-6
        assert list(item["classes"]) == list(CLASSES)


def test_another_explainer_its_parameters_and_one_class(finished: Any, manifest: Path, tmp_path: Path) -> None:
    asked = ("--explainer", "ramp", "--param", "steep=2.0", "--classes", "dark", "--images", "2", "--json")
    done = ask(finished.folder, "explain", "tiny/wide", str(manifest), "--out", str(tmp_path / "maps"), *asked)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["explainer"] == {"use": "ramp", "steep": 2.0}
    files = sorted(path.name for path in (tmp_path / "maps").iterdir())
    stems = [f"000{n}-{plain_name(f'images/test{n}.png')}" for n in (0, 1)]
    assert files == [f"{stem}{end}" for stem in stems for end in ("-dark.png", ".npz")]
    maps = np.load(tmp_path / "maps" / f"{stems[1]}.npz")["maps"]
    expected = np.broadcast_to(np.linspace(0, 1, 16) ** 2, (1, 16, 16))
    assert np.abs(maps - expected).max() < 1e-6
    with Image.open(tmp_path / "maps" / f"{stems[0]}-dark.png") as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--explainer", "rampp"), "no explainer named 'rampp'; did you mean 'ramp'?"),
        (("--explainer", "ramp", "--param", "steap=2"), "--param.steap: 'ramp' takes steep; did you mean 'steep'?"),
        (("--explainer", "ramp", "--param", "steep"), "--param steep: expected a.b=VALUE"),
        (("--explainer", "unable"), "'unable' cannot explain the model of 'wide': there is no layer to look at."),
        (("--classes", "drak"), "no class named 'drak'; did you mean 'dark'? (there are: bright, dark)"),
    ],
)
def test_what_cannot_be_explained_is_named(
    finished: Any, manifest: Path, tmp_path: Path, asked: tuple[str, ...], told: str
) -> None:
    done = ask(finished.folder, "explain", "tiny/wide", str(manifest), "--out", str(tmp_path / "maps"), *asked)
    assert done.exit_code == 2 and told in words(done.stderr), done.output
    assert not (tmp_path / "maps").exists()
