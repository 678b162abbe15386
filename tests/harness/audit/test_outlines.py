"""Verdicts on outlines, given before anything is trained."""

from __future__ import annotations

import re

import numpy as np
import pytest

from harness.audit.audit import check_dataset
from harness.audit.outlines import outline_findings
from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Task
from harness.trial.data.cache import Cache

SIZE = (24, 20)


class Drawn(Dataset):
    """Noise with a disc in every other image; `draw` makes the outline from the disc, the number and the label."""

    def __init__(self, draw, name, original=None):
        self.task = Task(classes=("lesion",), image_size=SIZE, mask_kind="outline")
        self.draw, self.name, self.original = draw, name, original
        self.rows = [Sample(id=f"s{n}", group=f"p{n}", unit=f"s{n}", labels=(float(n % 2),)) for n in range(40)]

    @property
    def digest(self):
        return self.name

    def split(self, name):
        start, end = {"train": (0, 20), "val": (20, 30), "tune_loc": (0, 0), "test": (30, 40)}[name]
        return self.rows[start:end]

    def read(self, sample):
        return np.random.default_rng(int(sample.id[1:])).integers(0, 256, SIZE, np.uint8)

    def read_mask(self, sample):
        number = int(sample.id[1:])
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        disc = (rows - 4 - number % 16) ** 2 + (columns - 5 - number % 9) ** 2 < 9
        return self.draw(disc & bool(sample.labels[0]), number, sample.labels[0]).astype(np.uint8)[None]

    def read_outline(self, sample):
        return None if self.original is None or not sample.labels[0] else self.original[None]


def found(root, draw, name, **more):
    cache = Cache.ensure(Drawn(draw, name, **more), root)
    return list(outline_findings(cache))


def test_sound_outlines_have_no_finding(tmp_path):
    assert [finding.verdict for finding in found(tmp_path, lambda disc, number, label: disc, "sound")] == [""]


def test_lesions_are_stated_in_cells_by_area_and_by_cells_touched_against_t(tmp_path):
    def square(disc, number, label):  # 4 x 6 px that touch 2 x 2 cells of 4 px, and 1 x 2 of 8 px
        drawn = np.zeros(SIZE, bool)
        drawn[2:6, 6:12] = label
        return drawn

    finding = found(tmp_path, square, "square")[0]
    assert "cover 5 % of the image (median of 15)" in finding.message
    assert finding.rows == (
        ("stride 4: 1.5 by area, 4 touched of 30", "t = 13 %"),
        ("stride 8: 0.4 by area, 2 touched of 9", "t = 22 %"),
        ("stride 16: 0.1 by area, 1 touched of 4", "t = 25 %"),
    )


@pytest.mark.parametrize(
    ("name", "draw", "verdict", "message", "number"),
    [
        ("inverted", lambda disc, n, label: ~disc & bool(label), "unfit", "15 of 15 .*inverted masks", 15),
        ("some inverted", lambda disc, n, label: (~disc if n == 3 else disc) & bool(label), "unsure", "1 of 15", 1),
        ("whole", lambda disc, n, label: np.ones(SIZE) * label, "unfit", "15 of 15 .* 90 % of the image or more", 15),
        (
            "negatives",
            lambda disc, n, label: (np.eye(*SIZE) > 0) | disc,
            "contradiction",
            "15 images without 'lesion'",
            15,
        ),
        ("missing", lambda disc, n, label: disc & (n % 4 == 1), "unsure", "7 of 15 images with 'lesion' have no", 7),
        ("none", lambda disc, n, label: disc & False, "unfit", "15 of 15 images with 'lesion' have no outline", 15),
        ("equal", lambda disc, n, label: np.eye(*SIZE) * label, "unfit", "15 of 15 .* same in every pixel", 15),
    ],
)
def test_outlines_that_cannot_be_a_lesions_have_a_verdict(tmp_path, name, draw, verdict, message, number):
    findings = found(tmp_path, draw, name)
    matching = [item for item in findings if item.verdict == verdict and item.number == number]

    assert any(re.search(message, item.message) for item in matching), findings
    assert all(len(item.rows) == number and item.rows[0][0].startswith("train: s") for item in matching)


def test_lesions_that_kept_one_cell_are_counted(tmp_path):
    original = np.zeros((240, 200), bool)
    original[15:17, 33:35] = original[100:140, 100:140] = True
    finding = found(tmp_path, lambda disc, n, label: disc, "kept", original=original)[-1]
    assert finding.level == "info" and finding.number == 15 and not finding.verdict
    assert "15 lesions of 'lesion' would vanish at 24 x 20 px" in finding.message


def test_the_full_check_asks_and_the_quick_one_decodes_nothing(tmp_path):
    dataset = Drawn(lambda disc, n, label: ~disc & bool(label), "both")
    assert not any("inverted" in item.message for item in check_dataset(dataset))
    assert any("inverted" in item.message for item in check_dataset(dataset, Cache.ensure(dataset, tmp_path)))
