"""The built-in data sets keep the laws of all data sets."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

import harness_datasets
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.testing.contracts_data import DatasetLaws


class TestGenerators(DatasetLaws):
    plugin = harness_datasets
    only = (
        "phantom_mammograms",
        "phantom_exams",
        "needle_digits",
        "skin_ultrasound",
        "chest_phantom",
        "histology_phantom",
    )


class TestManifest(DatasetLaws):
    plugin = harness_datasets
    only = ("manifest",)

    @pytest.fixture(autouse=True)
    def _own_memory(self, tmp_path_factory, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))

    def parameters(self, component):
        table = {"use": "manifest", "path": "set/table.csv", "labels": ["a", "b"], "image_size": [24, 16]}
        catalog, problems = Catalog(), Problems("")
        catalog.register(harness_datasets)
        made = catalog.factory("dataset", {**table, "mask_kind": "outline"}, problems, "dataset")
        problems.raise_if_any()
        assert made is not None
        return made.params

    def dataset(self, component, root, **changed):
        if not (root / "set").exists():
            _write(root / "set")
        return component.build(root, **{**self.parameters(component), **changed})


def _write(folder):
    rng = np.random.default_rng(0)
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
