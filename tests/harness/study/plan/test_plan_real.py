"""Plans of studies that use the built-in components, of a table of images and of files with weights."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness import Component, InputError, Plan, Task, hookimpl
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan

STUDY = """
[study]
question = "?"
baseline = "plain"
metrics = ["auroc", "dice", "pixel_ap", "pointing"]
[dataset]
use = "manifest"
path = "table.csv"
labels = ["ill"]
image_size = [128, 96]
mask_kind = "none"
[train]
epochs = 4
lr = { log10 = [-4, -2], default = -3 }
[model]
use = "gmic"
backbone = { use = "resnet22", stride = 8, width = 2 }
crops = 2
crop_px = 24
[search]
trials = 4
[confirm]
seeds = [0]
[variants.plain]
[variants.taught]
model = { use = "taught" }
"""


def build_taught(task: Task, /) -> Any:
    raise AssertionError("a plan builds no model")


class Plugin:
    @hookimpl
    def harness_architectures(self) -> list[Component[Any]]:
        return [Component(name="taught", build=build_taught, summary="s", needs=frozenset({"train_masks"}))]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`plan(*overrides)` of STUDY, on a table of six images that names a mask of each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    with (tmp_path / "table.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "patient_id", "label_ill", "mask_ill", "split"])
        for number in range(6):
            name, split = f"{number}.png", ("train", "val", "test")[number // 2]
            Image.fromarray(np.full((40, 30), 40 * number, np.uint8)).save(tmp_path / name)
            table.writerow([name, f"p{number}", number % 2, "mask.png", split])
    Image.fromarray(np.eye(40, 30, dtype=bool)).save(tmp_path / "mask.png")
    (tmp_path / "study.toml").write_text(STUDY)
    catalog = Catalog.discover()
    catalog.register(Plugin())
    settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache")
    study = load_study(tmp_path / "study.toml")
    return lambda *overrides: make_plan(study, catalog, settings, overrides=overrides)


def ids(plan: Plan) -> dict[str, str]:
    return {variant.name: variant.id for variant in plan.variants}


def test_a_table_without_masks_leaves_out_whatever_needs_them(plan: Any) -> None:
    found = plan()
    assert found.metrics == ("auroc",)
    for name in ("dice", "pixel_ap", "pointing"):
        assert any(warning.startswith(f"the metric {name!r} is left out: it needs") for warning in found.warnings)
    assert [(skip.variant, skip.reason) for skip in found.skipped] == [
        ("taught", "'taught' needs train_masks, which 'manifest' does not provide")
    ]


def test_a_table_with_outlines_leaves_out_nothing(plan: Any) -> None:
    found = plan("dataset.mask_kind=outline")
    assert found.metrics == ("auroc", "dice", "pixel_ap", "pointing")
    assert not found.skipped


def test_what_a_reader_of_the_plan_may_not_expect_of_its_files_is_a_warning(plan: Any, tmp_path: Path) -> None:
    assert not [text for text in plan().warnings if "images" in text]
    Image.new("RGB", (30, 40), (9, 90, 200)).save(tmp_path / "2.png")
    told = plan("dataset.image_size=[96, 128]").warnings
    assert sum("1 of 6 images are stored in colour and read as grey" in text for text in told) == 1
    assert sum("6 of 6 images are higher than wide; did you mean [128, 96]?" in text for text in told) == 1
    assert not [text for text in plan("dataset.channels=3").warnings if "colour" in text]


@pytest.mark.parametrize("key", ["model.weights", "model.local_backbone.weights"])
def test_a_file_of_weights_counts_with_its_content(plan: Any, tmp_path: Path, key: str) -> None:
    file, other = tmp_path / "a.pt", tmp_path / "b.pt"
    override, ranged = f"plain.{key}='{file}'", f"plain.{key}={{choice=['{file}', '{other}']}}"
    with pytest.raises(InputError, match=r"weights = '.*a\.pt': there is no such file"):
        plan(override)
    file.write_bytes(b"one")
    other.write_bytes(b"other")
    first, both = ids(plan(override)), ids(plan(ranged))
    assert ids(plan(override)) == first
    file.write_bytes(b"two!")
    second = ids(plan(override))
    assert second != first and second.keys() == first.keys()
    other.write_bytes(b"another")
    assert ids(plan(override)) == second and ids(plan(ranged)) != both


FIXED = ("train.lr=0.001", "model.map_l1=1e-4", "dataset.mask_kind=none")


def test_a_fold_without_a_class_is_found_in_the_plan(plan: Any) -> None:
    with pytest.raises(InputError) as caught:
        plan(*FIXED, "confirm.folds=6")
    told = str(caught.value)
    assert "confirm.folds: fold 0 of 6: " in told and "confirm.folds: fold 5 of 6: " in told
    assert "has no row where label_ill is" in told


def test_a_table_without_training_images_needs_0_epochs(plan: Any) -> None:
    with pytest.raises(InputError, match=r"train\.epochs: there is nothing to train on: 0 scores the model as it is"):
        plan(*FIXED, "dataset.unseen=true")
    assert plan(*FIXED, "dataset.unseen=true", "train.epochs=0").trained
