"""A variant whose model reads other samples than the data set has is skipped, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.settings import Settings
from harness.contract.errors import InputError
from harness.contract.types import Plan
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan
from harness.testing.fake_bags import bag_catalog

STUDY = """
[study]
question = "?"
baseline = "bags"
metrics = ["auroc"]
[dataset]
use = "square_bags"
[train]
epochs = 2
lr = { log10 = [-3, -1] }
[model]
use = "tiny_mil"
[search]
trials = 2
sampler = { use = "random" }
[confirm]
seeds = [0]
[explain.faithfulness]
use = ["insertion"]
[variants.bags]
[variants.images.model]
use = "tiny_cnn"
"""


def _plan(folder: Path, *overrides: str) -> Plan:
    path = folder / "study.toml"
    path.write_text(STUDY)
    settings = Settings(data=folder, results=folder / "results", cache=folder / "cache")
    return make_plan(load_study(path), bag_catalog(), settings, overrides=overrides)


@pytest.mark.parametrize("sample", ["bag", "views", "features"])
def test_a_model_of_single_images_is_skipped_on_bags(tmp_path: Path, sample: str) -> None:
    plan = _plan(tmp_path, f"dataset.sample={sample}")
    assert [variant.name for variant in plan.variants] == ["bags"]
    told = [(skip.variant, skip.reason) for skip in plan.skipped]
    assert told == [("images", "'tiny_cnn' needs single_image, which 'square_bags' does not provide")]


def test_a_model_of_bags_is_skipped_on_single_images(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "dataset.use=squares")
    assert [(skip.variant, skip.reason) for skip in plan.skipped] == [
        ("bags", "'tiny_mil' needs instances, which 'squares' does not provide")
    ]


def test_covering_parts_of_an_image_is_left_out_of_bags(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assert "faithfulness is left out: it covers parts of single images" in plan.warnings
    assert plan.explain.get("faithfulness") is None


def test_nothing_is_left_of_a_study_of_images_on_bags(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs single_image, which 'square_bags' does not provide"):
        _plan(tmp_path, "model.use=tiny_cnn")
