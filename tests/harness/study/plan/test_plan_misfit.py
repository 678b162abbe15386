"""A variant that does not fit the size of swapped data is skipped; a study that does not fit its own is a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import InputError, Plan
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan

STUDY = """
[study]
baseline = "patch_28"
[dataset]
use = "histology_phantom"
images = [8, 4, 4]
image_size = [112, 112]
[train]
epochs = 2
[model]
use = "a_mil"
[variants.patch_28]
[variants.patch_56]
model.patch_px = 56
[budgets.own]
[budgets.wide]
dataset.image_size = [112, 140]
"""
NET = '{ use = "resnet22", stride = 8, width = 4 }'
FILLS = "patches of 56 px do not fill images of 112x140: both sides must be multiples; `crop = [112, 112]` would be."
SKIPPED = f"'a_mil' does not fit the images of 'histology_phantom': {FILLS}"


def _plan(folder: Path, catalog: Catalog, *overrides: str, text: str = STUDY, budget: str | None = "own") -> Plan:
    path = folder / "study.toml"
    path.write_text(text)
    settings = Settings(data=folder, results=folder / "results", cache=folder / "cache")
    return make_plan(load_study(path), catalog, settings, budget=budget, overrides=overrides)


def _with(model: str) -> str:
    """The study with another model in the place of patch_56."""
    return STUDY.replace("model.patch_px = 56", f"[variants.patch_56.model]\n{model}").replace(
        "[variants.patch_56]\n", ""
    )


@pytest.mark.parametrize(
    ("budget", "overrides"),
    [
        ("wide", ()),
        ("own", ("dataset.image_size=[112, 140]",)),
        ("own", ("patch_56.dataset.image_size=[112, 140]",)),
        ("own", ('dataset={use="histology_phantom", images=[8, 4, 4], image_size=[112, 140]}',)),
    ],
)
def test_a_variant_that_does_not_fit_swapped_data_is_skipped_with_the_reason(
    tmp_path: Path, catalog: Catalog, budget: str, overrides: tuple[str, ...]
) -> None:
    plan = _plan(tmp_path, catalog, *overrides, budget=budget)
    assert [variant.name for variant in plan.variants] == ["patch_28"]
    assert [(skip.variant, skip.reason) for skip in plan.skipped] == [("patch_56", SKIPPED)]


def test_the_others_are_what_they_are_without_it(tmp_path: Path, catalog: Catalog) -> None:
    both = _plan(tmp_path, catalog, budget="wide")
    alone = _plan(tmp_path, catalog, 'select=["patch_28"]', budget="wide")
    assert both.variants == alone.variants


def test_a_variant_that_does_not_fit_the_studys_own_data_is_a_mistake(tmp_path: Path, catalog: Catalog) -> None:
    text = STUDY.replace("image_size = [112, 112]", "image_size = [112, 140]", 1)
    with pytest.raises(InputError) as caught:
        _plan(tmp_path, catalog, text=text)
    assert str(caught.value) == f"{tmp_path / 'study.toml'}: variants.patch_56.model: {FILLS}"
    assert caught.value.exit_code == 2


def test_data_that_no_variant_fits_are_a_mistake(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(
        InputError, match="nothing is left to run .*patch_28: .* 28 px do not fill .*patch_56: "
    ) as caught:
        _plan(tmp_path, catalog, "dataset.image_size=[112, 150]")
    assert caught.value.exit_code == 2


def test_what_is_wrong_by_itself_is_a_mistake_on_any_data(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(InputError, match=r"patch_56.*`patch_px >= 16` must hold"):
        _plan(tmp_path, catalog, "patch_56.model.patch_px=8", budget="wide")
    text = _with(f'use = "gmic"\nbackbone = {NET}\ncrops = 0')
    with pytest.raises(InputError, match="K = 0: `crops >= 1` must hold"):
        _plan(tmp_path, catalog, text=text, budget="wide")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (f'use = "gmic"\nbackbone = {NET}\ncrops = 1\ncrop_px = 120', "`crop_px <= 112` must hold"),
        (f'use = "gmic"\nbackbone = {NET}\ncrops = 999', "K = 999: `crops <= "),
        ('use = "pixel_labels"\nwindow_px = 120', "`window_px <= 112` must hold"),
        ('use = "attention_pooling"', "patches of 56 px do not fill images of 112x140"),
        ('use = "a_mil"\ncrop = [140, 140]', "a crop of 140x140 does not fit into images of 112x140"),
    ],
)
def test_sizes_that_do_not_fit_are_reported_by_each_architecture(
    tmp_path: Path, catalog: Catalog, model: str, reason: str
) -> None:
    plan = _plan(tmp_path, catalog, text=_with(model), budget="wide")
    assert [skip.variant for skip in plan.skipped] == ["patch_56"]
    assert reason in plan.skipped[0].reason


def test_an_average_of_what_does_not_fit_is_skipped_too(tmp_path: Path, catalog: Catalog) -> None:
    text = STUDY.replace("[budgets.own]", '[ensembles.both]\nof = ["patch_28", "patch_56"]\n[budgets.own]')
    plan = _plan(tmp_path, catalog, text=text, budget="wide")
    told: dict[str, Any] = {skip.variant: skip.reason for skip in plan.skipped}
    assert told == {"patch_56": SKIPPED, "both": "its member 'patch_56' is skipped"}
