"""The cache of decoded images: decoded once, rebuilt when damaged, honest about a full disk."""

from __future__ import annotations

import json
import math
import resource
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from harness.contract.dataset import Dataset
from harness.contract.errors import InputError, MachineError
from harness.contract.types import Sample, Task
from harness.trial.data.cache import SPLITS, Cache, known_masks


class Squares(Dataset):
    """Six 8 x 6 images whose value is their number; class b of the second is unknown."""

    def __init__(self, mask_kind="outline", depth=np.uint16):
        self.task = Task(classes=("a", "b"), image_size=(8, 6), mask_kind=mask_kind)
        self.depth = depth
        self.reads = 0

    @property
    def digest(self):
        return "0123456789abcdef" * 4

    def split(self, name):
        numbers = {"train": range(4), "val": (4,), "tune_loc": (), "test": (5,)}[name]
        return [
            Sample(
                id=f"s{n}",
                group=f"g{n}",
                unit=f"s{n}",
                labels=(float(n % 2), math.nan if n == 1 else 0.0),
                source={"n": n},
            )
            for n in numbers
        ]

    def read(self, sample):
        self.reads += 1
        return np.full((8, 6), sample.source["n"] * 1000, self.depth)

    def read_mask(self, sample):
        mask = np.zeros((2, 8, 6), np.uint8)
        mask[0, :2, :3] = sample.labels[0]
        return mask


def test_each_image_is_decoded_once_and_kept_in_order(tmp_path):
    dataset = Squares()
    Cache.ensure(dataset, tmp_path)
    train = Cache.ensure(dataset, tmp_path).split("train")
    assert dataset.reads == 6
    assert train.images.shape == (4, 8, 6, 1) and train.images.dtype == np.uint16
    assert [int(image[0, 0, 0]) for image in train.images] == [0, 1000, 2000, 3000]
    assert [sample.id for sample in train.samples] == ["s0", "s1", "s2", "s3"]
    assert train.samples[2] == dataset.split("train")[2]
    np.testing.assert_array_equal(train.labels, np.array([[0, 0], [1, math.nan], [0, 0], [1, 0]], np.float32))


def test_an_empty_split_is_an_empty_array(tmp_path):
    cache = Cache.ensure(Squares(), tmp_path)
    assert cache.split("tune_loc").images.shape == (0, 8, 6, 1)
    assert cache.split("tune_loc").labels.shape == (0, 2)
    masks = cache.masks("tune_loc")
    assert masks is not None and masks.shape == (0, 2, 8, 6)


def test_masks_stand_in_a_file_of_their_own(tmp_path):
    cache = Cache.ensure(Squares(), tmp_path)
    masks = cache.masks("train")
    assert masks is not None and masks[1, 0, 0, 0] == 1 and masks[:, 1].sum() == 0
    files = cache.files("train")
    assert files["masks"] is not None and files["masks"] != files["images"]


def test_a_task_without_masks_has_no_mask_file(tmp_path):
    cache = Cache.ensure(Squares(mask_kind="none"), tmp_path)
    assert cache.masks("test") is None and cache.files("test")["masks"] is None


def test_a_warm_cache_opens_no_mask(tmp_path):
    cache = Cache.ensure(Squares(), tmp_path)
    for name in SPLITS:
        path = cache.files(name)["masks"]
        assert path is not None
        path.write_bytes(b"x" * path.stat().st_size)  # reading it would show the damage
    dataset = Squares()
    Cache.ensure(dataset, tmp_path).split("train")
    assert dataset.reads == 0


@pytest.mark.parametrize("name", ["images.npy", "masks.npy", "samples.json", "done"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_damaged_cache_is_rebuilt(tmp_path, name, damage):
    path = Cache.ensure(Squares(), tmp_path).folder / "train" / name
    content = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(content[: len(content) // 2])
    dataset = Squares()
    cache = Cache.ensure(dataset, tmp_path)
    assert dataset.reads == 4
    assert path.read_bytes() == content
    assert int(cache.split("train").images[3, 0, 0, 0]) == 3000


def test_a_cache_of_another_format_is_made_anew(tmp_path, monkeypatch):
    dataset = Squares()
    Cache.ensure(dataset, tmp_path)
    monkeypatch.setattr("harness.trial.data.cache.FORMAT", 2)
    for _ in range(2):
        Cache.ensure(dataset, tmp_path)
    assert dataset.reads == 12


def test_overwritten_bytes_are_noticed(tmp_path):
    path = Cache.ensure(Squares(), tmp_path).folder / "test" / "images.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\0\0\0\0")
    Cache.ensure(Squares(), tmp_path)
    assert path.read_bytes() == content


def test_damaged_masks_are_rebuilt_when_they_are_asked_for(tmp_path):
    cache = Cache.ensure(Squares(), tmp_path)
    path = cache.folder / "test" / "masks.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\7\7\7\7")
    masks = cache.masks("test")
    assert masks is not None and path.read_bytes() == content


def test_what_a_killed_process_left_is_removed(tmp_path):
    cache = Cache.ensure(Squares(), tmp_path)
    (cache.folder / "train" / "done").unlink()
    left = cache.folder / "train.tmp-1"
    left.mkdir()
    (left / "images.npy").write_bytes(b"half")
    Cache.ensure(Squares(), tmp_path)
    assert not left.exists()


def test_progress_counts_to_all_images(tmp_path):
    seen = []
    Cache.ensure(Squares(), tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]
    Cache.ensure(Squares(), tmp_path, lambda done, total: seen.append((done, total)))
    assert len(seen) == 6


def test_workers_that_start_together_decode_once(tmp_path):
    dataset = Squares()
    threads = [threading.Thread(target=Cache.ensure, args=(dataset, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert dataset.reads == 6


def test_a_full_disk_is_the_machines_fault_and_leaves_nothing_half_written(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
    try:
        with pytest.raises(MachineError, match="image cache cannot be written"):
            Cache.ensure(Squares(), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not list(tmp_path.glob("*/*tmp*")) and not list(tmp_path.glob("*/*/done"))
    assert len(Cache.ensure(Squares(), tmp_path).split("train")) == 4


def test_a_file_where_the_cache_should_be_is_the_machines_fault(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(MachineError, match="cache"):
        Cache.ensure(Squares(), tmp_path / "cache")


def test_an_image_of_another_size_or_depth_is_named(tmp_path):
    class Wrong(Squares):
        def read(self, sample):
            return np.zeros((8, 7), np.uint16) if sample.id == "s2" else super().read(sample)

    with pytest.raises(InputError, match=r"image s2: .*\(8, 6, 1\) expected.*\(8, 7, 1\)"):
        Cache.ensure(Wrong(), tmp_path)

    class Mixed(Squares):
        def read(self, sample):
            return super().read(sample).astype(np.uint8 if sample.id == "s3" else np.uint16)

    with pytest.raises(InputError, match="image s3: uint8"):
        Cache.ensure(Mixed(), tmp_path)


def test_a_source_that_json_cannot_hold_is_dropped(tmp_path):
    class Opaque(Squares):
        def split(self, name):
            return [
                Sample(id=s.id, group=s.group, unit=s.unit, labels=s.labels, source=object())
                for s in super().split(name)
            ]

        def read(self, sample):
            return np.zeros((8, 6), np.uint8)

    cache = Cache.ensure(Opaque(), tmp_path)
    assert {sample.source for sample in cache.split("train").samples} == {None}
    assert json.loads((cache.folder / "train" / "samples.json").read_text())[1]["labels"] == [1, None]


def test_an_outline_is_known_unless_a_positive_was_not_drawn():
    labels = np.array([[1, 0], [1, math.nan]], np.float32)
    masks = np.zeros((2, 2, 4, 4), np.uint8)
    masks[0, 0, 1, 1] = 1
    np.testing.assert_array_equal(known_masks(labels, masks), [[True, True], [False, False]])


def test_the_cache_stands_where_the_digest_says(tmp_path):
    cache = Cache.ensure(Squares(), tmp_path)
    assert cache.folder == Path(tmp_path) / "0123456789abcdef"
