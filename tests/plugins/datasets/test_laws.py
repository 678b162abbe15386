"""The built-in data sets keep the laws of all data sets."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

import harness_datasets
from harness.testing import laws_for


def _write(root):
    folder, rng = root / "set", np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow("image patient_id label_a label_b mask_a split".split())
        for number in range(12):
            name, a = f"images/{number}.png", number // 2 % 2
            Image.fromarray(rng.integers(0, 256, (30, 20), np.uint8)).save(folder / name)
            mask = ""
            if a:
                mask = f"outline_{number}.png"
                Image.fromarray(rng.integers(0, 2, (30, 20), np.uint8) * np.uint8(255)).save(folder / mask)
            writer.writerow([name, f"p{number // 2}", a, number % 2, mask, ("train", "val", "test")[number // 4]])


@pytest.fixture(autouse=True)
def _own_memory(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))


GENERATORS = ("phantom_mammograms", "phantom_exams", "needle_digits", "skin_ultrasound", "chest_phantom")
TABLE = {"path": "set/table.csv", "labels": ["a", "b"], "image_size": [24, 16], "mask_kind": "outline"}
test_generators = laws_for(harness_datasets, only=(*GENERATORS, "histology_phantom"))
test_manifest = laws_for(harness_datasets, only=("manifest",), params=TABLE, files=_write)
