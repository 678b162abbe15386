"""Outlines at the size of their files: kept beside the reduced ones, sealed as they are, and held against points."""

from __future__ import annotations

import numpy as np

from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Task
from harness.metrics.functional import map_terms, peak_hit, reduced_mask
from harness.trial.confirm.finding import Drawn, candidate_rows
from harness.trial.data.cache import Cache
from harness.trial.data.stage import seal_of

SIZE, FULL = (16, 12), (160, 120)


class Small(Dataset):
    """Two images a split; the first has a lesion of 6 x 4 px at full size, a quarter of a cell at the image's size."""

    def __init__(self, full=FULL):
        self.task = Task(classes=("a", "b"), image_size=SIZE, mask_kind="outline")
        self.full = full

    digest = "small outlines"

    def split(self, name):
        numbers = {"train": (0, 1), "val": (2, 3), "tune_loc": (), "test": (4, 5)}[name]
        return [Sample(id=f"{n}", group=f"{n}", unit=f"{n}", labels=(float(1 - n % 2), 0.0)) for n in numbers]

    def read(self, sample):
        return np.full(SIZE, 7, np.uint8)

    def read_outline(self, sample):
        masks = np.zeros((2, *self.full), bool)
        if sample.labels[0]:
            masks[0, 83:89, 42:46] = True
        return masks

    def read_mask(self, sample):
        return np.stack([reduced_mask(mask, SIZE)[0] for mask in self.read_outline(sample)])


def test_outlines_are_kept_at_their_own_size_and_only_where_it_is_another(tmp_path):
    cache = Cache.ensure(Small(), tmp_path)
    originals = cache.originals("test")
    assert originals is not None and originals.of(1) is None
    np.testing.assert_array_equal(originals.of(0), Small().read_outline(Small().split("test")[0]))
    same = Small(SIZE)
    same.digest = "no other size"
    assert Cache.ensure(same, tmp_path).originals("test") is None


def test_they_are_sealed_while_a_model_is_fitted(tmp_path):
    cache = Cache.ensure(Small(), tmp_path)
    seal = seal_of(cache, Small())
    assert all(seal.covers(str(cache.originals(name).path.resolve())) for name in ("train", "val", "test"))
    assert not seal.covers(str((cache.folder / "train" / "images.npy").resolve()))


def test_equal_outlines_give_equal_files(tmp_path):
    paths = [Cache.ensure(Small(), tmp_path / name).originals("val").path for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_point_is_held_to_the_outline_not_to_its_cell():
    outline = Small().read_outline(Small().split("test")[0])[0]
    mask, kept = reduced_mask(outline, SIZE)
    assert kept == 1 and np.argwhere(mask).tolist() == [[8, 4]]
    saliency = np.zeros(SIZE)
    saliency[8, 4] = 1.0
    assert map_terms(saliency, mask > 0)["peak_hit"] == 1.0
    assert peak_hit(saliency, outline) == 24 / 100
    fine = np.zeros(FULL)
    fine[85, 43] = 1.0
    assert peak_hit(fine, outline) == 1.0


def test_candidates_lie_in_the_lesion_by_its_outline_and_boxes_are_in_pixels_of_the_image():
    outline = np.zeros(FULL, bool)
    outline[80:85, 40:45] = outline[20:60, 20:60] = True
    drawn = Drawn.of(outline, SIZE)
    (large, small) = drawn.rows()
    assert (large["x0"], large["y0"], large["x1"], large["y1"]) == (2, 2, 6, 6)
    assert (small["x0"], small["y0"], small["x1"], small["y1"]) == (4, 8, 5, 9)
    assert large["area"] == 1600 / outline.size
    saliency = np.zeros(SIZE)
    saliency[3, 4], saliency[8, 4], saliency[13, 10] = 0.9, 0.8, 0.7
    # The centre of cell (8, 4) is the pixel (85, 45), just outside the small lesion.
    assert [(row["y"], row["lesion"]) for row in candidate_rows(saliency, drawn)] == [
        (3.5, 1),
        (8.5, None),
        (13.5, None),
    ]
    exact = Drawn.of(outline[::10, ::10], SIZE)
    assert [row["lesion"] for row in candidate_rows(saliency, exact)] == [1, 2, None]
