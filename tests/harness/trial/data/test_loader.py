"""The loader: the same batches for a seed whatever the timing, and nothing lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.contract.nn import Batch
from harness.contract.types import Sample
from harness.testing.fakes import build_squares, squares_task
from harness.trial.data.cache import Cache, CachedSplit
from harness.trial.data.loader import Loader, label_weights, normalised
from harness.trial.data.stage import ConfirmData, FitData, Images, Ledger
from harness.trial.settings.training import TrainSettings

ALL = ("flip", "flip_vertical", "shift", "rotate", "scale", "shear", "noise")


def _cache(root: Path, **params) -> Cache:
    return Cache.ensure(build_squares(root, **params), root / "cache")


def _loader(data: Images, seed: int = 0, **settings) -> Loader:
    return Loader(data, squares_task(), TrainSettings.of({"batch_size": 8, **settings}), torch.device("cpu"), seed)


@pytest.fixture
def train(tmp_path: Path) -> Images:
    return FitData.of(_cache(tmp_path, unknown=0.3), (), Ledger()).train


def _table(labels: np.ndarray, dtype=np.uint8) -> Images:
    samples = tuple(
        Sample(id=str(n), group=str(n), unit=str(n), labels=tuple(row)) for n, row in enumerate(labels.tolist())
    )
    pixels = np.full((len(labels), 4, 4, 1), np.iinfo(dtype).max, dtype)
    return Images("train", CachedSplit("train", samples, pixels, labels.astype(np.float32)))


def test_a_seed_and_an_epoch_say_what_is_seen(train: Images):
    first, second = (list(_loader(train, augment=ALL).training(3)) for _ in range(2))
    other_epoch = list(_loader(train, augment=ALL).training(4))
    other_seed = list(_loader(train, 1, augment=ALL).training(3))
    assert all(torch.equal(a.images, b.images) and a.ids == b.ids for a, b in zip(first, second, strict=True))
    assert [batch.ids for batch in first] != [batch.ids for batch in other_epoch]
    assert [batch.ids for batch in first] != [batch.ids for batch in other_seed]


def test_a_slow_consumer_sees_the_same_batches(train: Images):
    quick = list(_loader(train, augment=ALL).training(1))
    slow = []
    for batch in _loader(train, augment=ALL).training(1):
        time.sleep(0.01)
        slow.append(batch)
    assert all(torch.equal(a.images, b.images) for a, b in zip(quick, slow, strict=True))


def test_a_batch_is_made_while_the_one_before_is_used(train: Images, monkeypatch: pytest.MonkeyPatch):
    loader, waited = _loader(train, batch_size=12), []
    make = loader._batch

    def slowly(*arguments: Any) -> Batch:
        time.sleep(0.1)
        return make(*arguments)

    monkeypatch.setattr(loader, "_batch", slowly)
    for _ in loader.training(1):
        waited.append(loader.waited)
        time.sleep(0.15)
    assert len(waited) > 3 and waited[0] > 0.05, "the first is waited for"
    assert waited[-1] - waited[0] < 0.15, "of the other three, each 0.1 s in the making, none is"


def test_evaluation_drops_nothing_and_keeps_the_order(train: Images):
    loader = _loader(train, augment=ALL, balance="weights", batch_size=13)
    batches = list(loader.evaluation())
    assert [key for batch in batches for key in batch.ids] == list(train.names)
    assert [len(batch.ids) for batch in batches] == [13, 13, 13, 9]
    assert all(batch.weights is None and batch.targets is None for batch in batches)
    labels = torch.cat([batch.labels for batch in batches])
    assert torch.equal(labels.isnan(), torch.from_numpy(train.split.labels).isnan())
    assert labels.isnan().any()


def test_one_epoch_shows_each_training_image_once(train: Images):
    loader = _loader(train)
    batches = list(loader.training(1))
    assert len(batches) == loader.steps()
    assert sorted(key for batch in batches for key in batch.ids) == sorted(train.names)


@pytest.mark.parametrize(("size", "sizes"), [(47, [47]), (16, [16, 16, 16]), (47 // 2, [23, 23, 2])])
def test_a_last_batch_of_one_image_is_left_out_of_training(train: Images, size: int, sizes: list[int]):
    loader = _loader(train, batch_size=size)
    assert [len(batch.ids) for batch in loader.training(1)] == sizes
    assert loader.steps() == len(sizes)


def test_a_generator_that_is_closed_half_way_leaves_no_thread(train: Images):
    import threading

    before = threading.active_count()
    batches = _loader(train).training(1)
    next(batches)
    batches.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_highest_pixel_value_is_one(dtype):
    (batch,) = _loader(_table(np.ones((2, 2)), dtype), normalise="unit").evaluation()
    assert (batch.images == 1).all()


def test_images_are_normalised_as_asked():
    images = torch.rand(4, 3, 8, 8)
    own = normalised(images, "image")
    torch.testing.assert_close(own.mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(own.std((1, 2, 3), correction=0), torch.ones(4), atol=1e-5, rtol=0)
    assert normalised(images, "unit") is images
    white = normalised(torch.tensor([0.485, 0.456, 0.406])[None, :, None, None].expand(1, 3, 2, 2), "imagenet")
    torch.testing.assert_close(white, torch.zeros(1, 3, 2, 2))
    digit = normalised(torch.tensor([0.1307, 0.4388])[:, None, None, None].expand(2, 1, 2, 2), "mnist")
    torch.testing.assert_close(digit[:, 0, 0, 0], torch.tensor([0.0, 1.0]))


def test_a_collection_that_has_no_such_images_is_refused():
    with pytest.raises(ValueError, match='normalise = "mnist" is for images of 1 channels, and these have 3'):
        normalised(torch.rand(1, 3, 2, 2), "mnist")


def test_a_constant_image_stays_finite():
    assert normalised(torch.full((1, 1, 4, 4), 0.3), "image").abs().max() < 1


def test_label_weights_balance_each_class_by_itself():
    labels = np.array([[1, 0], [0, np.nan], [0, 0], [0, 1]], np.float32)
    weights = label_weights(labels)
    for k in range(2):
        assert weights[labels[:, k] == 1, k].sum() == pytest.approx(weights[labels[:, k] == 0, k].sum())
        assert weights[~np.isnan(labels[:, k]), k].mean() == pytest.approx(1)
    assert weights[1, 1] == 0


def test_a_class_with_one_label_only_is_not_weighted():
    assert label_weights(np.ones((5, 1), np.float32)).tolist() == [[1.0]] * 5


def test_weights_come_with_their_images():
    labels = np.array([[1, 0]] * 3 + [[0, 1]] * 13, np.float32)
    for batch in _loader(_table(labels), balance="weights").training(1):
        assert batch.weights is not None
        rows = [int(key) for key in batch.ids]
        assert np.array_equal(batch.weights.numpy(), label_weights(labels)[rows])


def test_the_sampler_draws_rare_positives_as_often_as_negatives():
    labels = np.zeros((200, 1), np.float32)
    labels[:10] = 1
    data = _table(labels)
    loader = Loader(
        data, squares_task(), TrainSettings.of({"balance": "sampler", "batch_size": 50}), torch.device("cpu")
    )
    drawn = torch.cat([batch.labels for epoch in range(10) for batch in loader.training(epoch)])
    assert 0.45 < drawn.mean() < 0.55
    assert len(drawn) == 2000


def test_masks_are_handed_out_only_where_the_model_needs_them(tmp_path: Path):
    cache = _cache(tmp_path)
    ledger = Ledger()
    plain, taught = FitData.of(cache, (), ledger), FitData.of(cache, {"train_masks"}, Ledger())
    assert all(batch.targets is None for batch in _loader(plain.train).training(1))
    assert all(batch.targets is not None for batch in _loader(taught.train).training(1))
    assert all(batch.targets is None for batch in _loader(taught.val).evaluation())
    assert (ledger.opened, ledger.masks) == (["train", "val"], {"fit": [], "test": []})


def test_a_search_has_no_way_to_the_test_split(tmp_path: Path):
    assert {name for name in vars(FitData.of(_cache(tmp_path), (), Ledger()))} == {"task", "train", "val"}


def test_masks_move_with_augmented_images(tmp_path: Path):
    data = FitData.of(_cache(tmp_path), {"train_masks"}, Ledger()).train
    for batch in _loader(data, augment=("flip", "shift"), normalise="unit").training(1):
        assert batch.targets is not None
        bright, found = batch.targets.masks[:, 0] > 0, batch.labels[:, 0] == 1
        inside = torch.stack(
            [image[0][mask].mean() for image, mask in zip(batch.images[found], bright[found], strict=True)]
        )
        assert (inside > 0.55).all()
        assert torch.equal(batch.targets.known, torch.ones_like(batch.targets.known))


def test_confirm_sees_validation_masks_where_the_data_name_no_tune_loc(tmp_path: Path):
    ledger = Ledger()
    data = ConfirmData.of(_cache(tmp_path), ledger)
    assert data.tune_loc is not None and data.tune_loc.name == "tune_loc"
    assert data.tune_loc.split.name == "val"
    assert (ledger.opened, ledger.masks) == (["test"], {"fit": [], "test": ["val", "test"]})
