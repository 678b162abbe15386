"""The audit of a data set: what it counts, and that it finds a shortcut that was planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.audit.audit import check_dataset
from harness.audit.features import PARTS, feature_parts, global_features
from harness.audit.shortcuts import metadata_auc, shortcut_auc
from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Task
from harness.trial.data.cache import Cache


class Noise(Dataset):
    """Noise, 24 x 20, two images a patient; `plant` changes an image whose label is 1."""

    def __init__(self, plant=None, patients=100, state_sizes=False):
        self.task = Task(classes=("ill",), image_size=(24, 20), mask_kind="outline")
        self.plant, self.state_sizes = plant, state_sizes
        self.rows = [self._sample(number) for number in range(2 * patients)]

    def _sample(self, number):
        label = float(number // 2 % 3 == 0)
        source = {"size": [100 + 50 * int(label), 80]} if self.state_sizes else None
        return Sample(id=f"s{number}", group=f"p{number // 2}", unit=f"s{number}", labels=(label,), source=source)

    @property
    def digest(self):
        return f"{self.plant}-{self.state_sizes}".ljust(16, "0")

    def split(self, name):
        cut = {"train": (0, 0.6), "val": (0.6, 0.8), "tune_loc": (0, 0), "test": (0.8, 1)}[name]
        return self.rows[round(cut[0] * len(self.rows)) : round(cut[1] * len(self.rows))]

    def read(self, sample):
        image = np.random.default_rng(int(sample.id[1:])).integers(20000, 40000, (24, 20)).astype(np.uint16)
        if sample.labels[0] and self.plant == "corner":
            image[1:4, 1:4] = 65535
        if sample.labels[0] and self.plant == "exposure":
            image += 3000
        return image

    def read_mask(self, sample):
        mask = np.zeros((1, 24, 20), np.uint8)
        mask[0, :6, :8] = sample.labels[0]
        return mask


@pytest.mark.parametrize("plant", ["corner", "exposure"])
def test_a_planted_shortcut_is_found(tmp_path, plant):
    rows = shortcut_auc(Cache.ensure(Noise(plant), tmp_path))
    together, parts = rows[:2], {row.source: row for row in rows[2:]}
    assert [(row.source, row.model) for row in together] == [("all features", "logistic"), ("all features", "forest")]
    assert all(row.verdict == "shortcut" and row.auc > 0.9 and row.low > 0.8 for row in together)
    assert tuple(parts) == PARTS[:-1]
    assert parts[{"corner": "border", "exposure": "intensity"}[plant]].auc > 0.9
    assert set(together[0].rows) <= {
        f"{name}: s{n}" for name in ("train", "val") for n in range(200) if n // 2 % 3 == 0
    }


def test_noise_has_no_shortcut(tmp_path):
    rows = shortcut_auc(Cache.ensure(Noise(), tmp_path))
    assert {row.verdict for row in rows} <= {"clear", "unsure"}
    assert all(row.low <= row.auc <= row.high and row.images == 160 for row in rows)


def test_a_size_that_the_data_set_states_counts_as_a_feature(tmp_path):
    assert shortcut_auc(Cache.ensure(Noise(state_sizes=True), tmp_path))[0].auc > 0.95


def test_a_class_of_too_few_patients_has_no_figure_and_is_told_why(tmp_path):
    dataset = Noise(patients=10)
    assert shortcut_auc(Cache.ensure(dataset, tmp_path)) == []
    assert [finding.message for finding in check_dataset(dataset) if finding.level == "warning"] == [
        "train and val have 3 groups with 'ill' and 5 without: "
        "5 of each are needed to test whether global features predict it"
    ]
    assert not [finding for finding in check_dataset(Noise(patients=30)) if finding.level == "warning"]


class Scanned(Noise):
    """One patient in ten was scanned elsewhere; the ill mostly on another scanner. Ids and age tell nothing."""

    def metadata(self, sample):
        number = int(sample.group[1:])
        rng = np.random.default_rng(number)
        scanner = "B" if sample.labels[0] != (rng.random() < 0.1) else "A"
        age = "" if number % 7 == 0 else float(rng.integers(40, 80))
        return {"scanner": scanner, "age": age, "serial": sample.id, "site": "north"}


def test_metadata_that_predict_the_label_are_found_and_others_are_not():
    rows = {row.source: row for row in metadata_auc(Scanned())}
    assert set(rows) == {"metadata: scanner", "metadata: age"}  # one site, and a serial number each, tell nothing
    told = rows["metadata: scanner"]
    assert told.verdict == "shortcut" and told.auc == pytest.approx(0.9, abs=0.06) and len(told.rows) == 5
    assert rows["metadata: age"].verdict != "shortcut"


def test_a_data_set_without_metadata_has_no_rows_of_it():
    assert metadata_auc(Noise(patients=30)) == []


def test_colour_is_a_part_of_its_own_where_there_is_any():
    image = np.random.default_rng(0).integers(0, 255, (24, 20, 3), np.uint8)
    assert tuple(feature_parts(image)) == PARTS and len(feature_parts(image)["colour"]) == 6


def test_features_are_finite_on_flat_images():
    for value in (0, 255):
        found = global_features(np.full((16, 12, 3), value, np.uint8))
        assert np.isfinite(found).all()


def test_the_counts_of_every_split_are_told(tmp_path):
    dataset = Noise(patients=30)
    told = [finding.message for finding in check_dataset(dataset, Cache.ensure(dataset, tmp_path))]
    assert "multilabel, one label per image, 24 x 20 px, 1 channel, masks: outline" in told
    assert "train: 36 images, 18 groups, 36 units; ill 12" in told
    assert "train: ill 12 of 12 positives outlined, median 10.00 % of the image" in told
    assert not [line for line in told if line.startswith("test: ill")]


def test_leaks_absent_classes_and_duplicate_ids_are_errors():
    class Leaky(Noise):
        def split(self, name):
            rows = super().split("train") if name == "test" else super().split(name)
            return [replace(row, labels=(0.0,)) for row in rows] if name == "val" else rows

    errors = [finding for finding in check_dataset(Leaky(patients=30)) if finding.level == "error"]
    assert [finding.verdict for finding in errors] == ["unfit", "leak", "unfit"]
    assert errors[1].number == 18 and errors[1].rows[0] == ("p0", "train: s0", "train: s1", "test: s0", "test: s1")
    assert [finding.message for finding in errors] == [
        "val: no image with 'ill'",
        "18 groups in both train and test, such as 'p0'",
        "36 ids are used more than once",
    ]


def test_a_unit_of_two_patients_is_an_error():
    class Torn(Noise):
        def split(self, name):
            return [replace(row, unit="breast") if row.id in ("s0", "s2") else row for row in super().split(name)]

    errors = [finding for finding in check_dataset(Torn(patients=30)) if finding.level == "error"]
    assert [finding.message for finding in errors] == ["1 units are in more than one group, such as 'breast'"]
    assert errors[0].rows == (("breast", "p0", "p1"),)
