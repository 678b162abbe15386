"""The real sets below HARNESS_DATA run through `manifest`; skipped where that is not set."""

from __future__ import annotations

import numpy as np
import pytest

from harness.audit.audit import check_dataset
from harness_datasets.manifest.component import build_manifest
from harness_datasets.needle_digits.component import build_needle_digits

SETS = {
    "busi": {"labels": ("lesion", "malignant"), "where": "conflict == 0", "mask_kind": "outline"},
    "mias": {"labels": ("abnormal", "malignant"), "mask_kind": "circle"},
    "bccd": {"labels": ("platelets",), "mask_kind": "box", "channels": 3},
}
POSITIVES = {"busi": [(381, 124), (127, 41), (123, 39)], "mias": [(70, 32), (22, 10), (23, 10)]}


@pytest.fixture(autouse=True)
def _own_memory(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))


def build(data_root, name):
    return build_manifest(data_root, path=f"{name}/manifest.csv", image_size=(96, 96), **SETS[name])


@pytest.mark.parametrize("name", SETS)
def test_a_real_set_is_read_with_its_masks(data_root, name):
    dataset = build(data_root, name)
    sample = next(sample for sample in dataset.split("test") if sample.labels[0] == 1)
    image, mask = dataset.read(sample), dataset.read_mask(sample)
    assert image.shape[:2] == (96, 96) and image.dtype == np.uint8 and image.std() > 5
    assert mask is not None and mask.shape == (len(dataset.task.classes), 96, 96) and mask[0].any()
    assert not [finding for finding in check_dataset(dataset) if finding.level != "info"]


@pytest.mark.parametrize("name", POSITIVES)
def test_a_real_set_has_the_positives_that_its_readme_counts(data_root, name):
    dataset = build(data_root, name)
    for split, expected in zip(("train", "val", "test"), POSITIVES[name], strict=True):
        labels = np.array([sample.labels for sample in dataset.split(split)])
        assert tuple(labels.sum(0).astype(int)) == expected


def test_mias_positives_without_coordinates_have_empty_masks(data_root):
    dataset = build(data_root, "mias")
    for number in ("059", "216", "233", "245"):
        sample = next(
            found
            for split in ("train", "val", "test")
            for found in dataset.split(split)
            if found.id == f"images/mdb{number}.png"
        )
        mask = dataset.read_mask(sample)
        assert sample.labels[0] == 1 and mask is not None and not mask.any()


def test_needle_digits_are_drawn_from_mnist_where_it_is(data_root):
    dataset = build_needle_digits(
        data_root, images=(8, 8, 8), image_size=(112, 84), objects=3, glyph_px=28, digits="mnist"
    )
    sample = next(sample for sample in dataset.split("train") if sample.labels[0] == 1)
    mask = dataset.read_mask(sample)
    assert mask is not None and mask[0].any()
