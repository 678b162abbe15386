"""The skin phantom: its layers from the top, what tells its classes, its folds, and what tells nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import InputError, Sample
from harness.audit.shortcuts import shortcut_auc
from harness.contract.masks import LAYERS
from harness.trial.data.cache import Cache
from harness_datasets.skin_ultrasound.component import build_skin_ultrasound
from harness_datasets.skin_ultrasound.dataset import CLASSES, SkinUltrasound

ROOT = Path()
SMALL: dict[str, Any] = {"images": (32, 16, 16), "image_size": (128, 96), "difficulty": 0.0}


def build(**changed: Any) -> SkinUltrasound:
    found = build_skin_ultrasound(ROOT, **{**SMALL, **changed})
    assert isinstance(found, SkinUltrasound)
    return found


def of_class(data: SkinUltrasound, name: str) -> list[Sample]:
    return [sample for sample in data.split("train") if sample.labels[CLASSES.index(name)]]


def runs(column: np.ndarray) -> list[int]:
    """Grey values from the top, each once in a row."""
    return [int(value) for place, value in enumerate(column) if not place or value != column[place - 1]]


def test_layers_come_in_the_order_of_the_source() -> None:
    data = build()
    for sample in of_class(data, "cg"):
        mask = data.read_mask(sample)
        layers = mask[CLASSES.index("cg")]
        assert all(runs(column) == [0, 32, 255, 128, 64, 32, 0] for column in layers.T)
        assert set(np.unique(layers)) == set(LAYERS)
        assert not np.delete(mask, CLASSES.index("cg"), 0).any()


def beneath(data: SkinUltrasound, sample: Sample, rows: slice) -> np.ndarray:
    """Image rows counted from the end of the entry echo, "rows w"."""
    image = data.read(sample) / 65535
    layers = data.read_mask(sample)[sample.labels.index(1.0)]
    first = np.argmax(layers == 255, 0)
    thick = np.array([np.argmin(column[top:] == 255) for column, top in zip(layers.T, first, strict=True)])
    ends = first + thick
    return np.stack([image[end + rows.start : end + rows.stop, x] for x, end in enumerate(ends)], 1)


def test_what_lies_beneath_the_entry_echo_is_the_class() -> None:
    data, found = build(), {}
    for name in CLASSES:
        for sample in of_class(data, name):
            whole = np.median(data.read(sample)[48:80]) / 65535
            band, nodule = beneath(data, sample, slice(3, 7)), beneath(data, sample, slice(11, 19))
            across = np.convolve(nodule.mean(0), np.ones(8) / 8, "valid")
            found.setdefault(name, []).append((band.mean() / whole, across.min() / whole))
    band, nodule = ({name: np.array(rows)[:, k] for name, rows in found.items()} for k in (0, 1))
    assert max(band["ad"].max(), band["ps"].max()) < 0.6 < min(band["cg"].min(), band["st"].min())
    assert max(nodule["st"].max(), nodule["ps"].max()) < 0.6 < min(nodule["cg"].min(), nodule["ad"].min())


def test_a_test_image_does_not_depend_on_the_training_images() -> None:
    few, many = build(), build(images=(48, 16, 16))
    assert few.split("test") == many.split("test")
    np.testing.assert_array_equal(few.read(few.split("test")[0]), many.read(many.split("test")[0]))
    assert few.digest != many.digest


def test_every_patient_is_tested_in_one_fold_and_classes_are_even() -> None:
    folds = [build(folds=4, fold=fold) for fold in range(4)]
    tested = [{sample.group for sample in data.split("test")} for data in folds]
    everyone = {s.group for name in ("train", "val", "test") for s in build().split(name)}
    assert set.union(*tested) == everyone and sum(map(len, tested)) == len(everyone)
    for fold, data in enumerate(folds):
        assert {sample.group for sample in data.split("val")} == tested[(fold + 1) % 4]
        assert {sample.group for sample in data.split("train")} == everyone - tested[fold] - tested[(fold + 1) % 4]
        counts = Counter(sample.labels for sample in data.split("test"))
        assert len(counts) == 4 and max(counts.values()) - min(counts.values()) <= 2  # a patient has two images
    assert len({data.digest for data in folds}) == 4


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"images": (6, 16, 16)}, "8 show a patient of each class, but a split is given 6"),
        ({"image_size": (48, 96)}, "64 to 1024 px a side, but got 48 x 96"),
        ({"difficulty": 1.5}, r"in \[0, 1\], but is 1.5"),
        ({"folds": 2}, "3 or more"),
        ({"folds": 5, "fold": 5}, "fold=5"),
        ({"images": (16, 8, 8), "folds": 5}, "5 need 40 images in all"),
    ],
)
def test_bad_parameters_are_told(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        build(**changed)


def test_grey_values_are_on_one_curve_whatever_the_class() -> None:
    data = build()
    for sample in data.split("val"):
        values = np.sort(data.read(sample).ravel() / 65535)
        ranks = (np.arange(values.size) + 0.5) / values.size
        middle, high = values[values.size // 2] - values[0], values[-1] - values[0]
        bend = np.log(middle / high) / np.log(ranks[values.size // 2])
        np.testing.assert_allclose(values, values[0] + high * ranks**bend, atol=2e-3)


@pytest.mark.slow
def test_global_features_do_not_tell_the_class(tmp_path: Path) -> None:
    data = build(images=(800, 200, 8), image_size=(96, 96))
    found = shortcut_auc(Cache.ensure(data, tmp_path))
    assert max(row.auc for row in found) < 0.60, found
