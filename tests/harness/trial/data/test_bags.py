"""Samples of several instances, from `read` through the cache to the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.audit.datacheck import duplicate_findings, full_check
from harness.audit.features import feature_parts
from harness.audit.shortcuts import _global
from harness.contract.errors import InputError
from harness.contract.masks import unmet
from harness.contract.nn import Batch
from harness.contract.types import Epoch, Task, TrialResult
from harness.testing import fake_bags, laws_for
from harness.testing.fake_bags import VIEWS, SquareBags, bag_catalog
from harness.testing.fakes import tiny_spec
from harness.trial.data.cache import Cache
from harness.trial.data.loader import Loader
from harness.trial.data.stage import FitData, Ledger
from harness.trial.settings.training import TrainSettings
from harness.trial.trial import run_trial

SAMPLES = ("bag", "views", "features")


test_laws = laws_for(
    fake_bags,
    task=Task(classes=("benign", "malignant"), image_size=(16, 16)),
    change={"sample": "views"},
)


def _loader(cache, **settings):
    data = FitData.of(cache, (), Ledger())
    settings = TrainSettings.of({"batch_size": 4, "normalise": "unit", **settings})
    return Loader(data.train, data.task, settings, torch.device("cpu"))


def test_a_batch_is_padded_to_its_longest_bag_and_says_what_is_real(tmp_path):
    dataset = SquareBags("bag")
    cache = Cache.ensure(dataset, tmp_path)
    batch = next(_loader(cache).evaluation())
    counts = [len(dataset.read(sample)) for sample in dataset.split("train")[:4]]
    assert counts == [1, 1, 2, 2]
    assert batch.images.shape == (4, 2, 1, 8, 8) and batch.mask.sum(1).tolist() == counts
    read = torch.from_numpy(dataset.read(dataset.split("train")[2])).float() / 255
    torch.testing.assert_close(batch.images[2, :, 0], read)
    assert (batch.images[0, 1] == 0).all()


def test_a_missing_view_is_zeros_in_its_own_place(tmp_path):
    dataset = SquareBags("views")
    batch = next(_loader(Cache.ensure(dataset, tmp_path), normalise="image").evaluation())
    assert batch.images.shape == (4, len(VIEWS), 1, 8, 8)
    for row, sample in enumerate(dataset.split("train")[:4]):
        assert batch.mask[row].tolist() == [view is not None for view in dataset.read(sample)]
    assert not batch.mask.all() and (batch.images[~batch.mask] == 0).all()


def test_features_and_coordinates_are_passed_as_they_are(tmp_path):
    dataset = SquareBags("features")
    loader = _loader(Cache.ensure(dataset, tmp_path), augment=["flip", "noise"])
    batch = next(loader.training(1))
    by_id = {sample.id: sample for sample in dataset.split("train")}
    for row, key in enumerate(loader.data.ids(batch)):
        real = batch.mask[row]
        np.testing.assert_array_equal(batch.features[row, real], dataset.read(by_id[key]))
        np.testing.assert_array_equal(batch.coords[row, real], dataset.read_coords(by_id[key]))
    assert batch.images is None and (batch.features[~batch.mask] == 0).all()


def test_images_of_a_bag_are_augmented_one_by_one_and_padding_stays_empty(tmp_path):
    cache = Cache.ensure(SquareBags("bag"), tmp_path)
    plain = {key: batch for batch in _loader(cache).evaluation() for key in batch.ids}
    changed = set()
    for batch in _loader(cache, augment=["flip"]).training(1):
        assert (batch.images[~batch.mask] == 0).all()
        for row, key in enumerate(batch.ids):
            before = plain[key].only(plain[key].ids.index(key))
            for one, other in zip(batch.images[row, batch.mask[row]], before.images[before.mask], strict=True):
                assert torch.equal(one, other) or torch.equal(one, other.flip(2))
                changed.add((key, torch.equal(one, other)))
    assert len({key for key, _ in changed}) < len(changed), "some bag has images of both sorts"


def test_an_encoder_never_sees_the_padding():
    images = torch.arange(24.0).view(2, 3, 1, 2, 2)
    mask = torch.tensor([[True, False, False], [True, True, True]])
    seen = []

    def encode(real):
        seen.append(len(real))
        return real.flatten(1)

    batch = Batch(labels=torch.zeros(2, 1), images=images, mask=mask)
    vectors = batch.encoded(encode)
    assert seen == [4]
    torch.testing.assert_close(vectors, images.flatten(2) * mask[..., None])
    with pytest.raises(ValueError, match="single images has no instances"):
        Batch(labels=torch.zeros(2, 1), images=images[:, 0]).encoded(encode)


@pytest.mark.parametrize(
    ("sample", "values", "told"),
    [
        ("bag", np.zeros((0, 8, 8), np.uint8), "has no instance"),
        ("bag", np.zeros((2, 8, 9), np.uint8), r"\(2, 8, 9, 1\)"),
        ("bag", np.zeros((2, 8, 8), np.float32), "float32"),
        ("views", [None, None, None], "has no instance"),
        ("views", [np.zeros((8, 8), np.uint8)], "3 views expected, but got 1"),
        ("views", [np.zeros((8, 8), np.uint8), np.zeros((4, 8), np.uint8), None], "one size and depth"),
        ("features", np.zeros((2, 5), np.float32), r"float32 \(n, 6\) expected, but got float32 \(2, 5\)"),
        ("features", np.full((2, 6), np.nan, np.float32), "must be finite numbers"),
    ],
)
def test_what_the_task_does_not_promise_is_refused_by_name(tmp_path, sample, values, told):
    class Wrong(SquareBags):
        def read(self, sample):
            return values if sample.id == "val3" else super().read(sample)

    with pytest.raises(InputError, match=f"val3: .*{told}"):
        Cache.ensure(Wrong(sample), tmp_path)


@pytest.mark.parametrize("file", ["images.npy", "offsets.npy", "slots.npy"])
def test_a_damaged_file_is_read_anew(tmp_path, file):
    cache = Cache.ensure(SquareBags("views"), tmp_path)
    before = [np.array(part) for part in _arrays(cache)]  # what is mapped must not be cut short beneath us
    (cache.folder / "train" / file).write_bytes(b"")
    for found, expected in zip(_arrays(Cache.ensure(SquareBags("views"), tmp_path)), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def _arrays(cache):
    bags = cache.split("train").bags
    return bags.values, bags.offsets, bags.slots


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_trial_trains_confirms_and_learns(workspace, sample):
    spec = tiny_spec(
        stage="confirm",
        dataset={"use": "square_bags", "sample": sample},
        model={"use": "tiny_mil"},
        train={"epochs": 6, "batch_size": 4, "lr": 0.05, "balance": "weights", "augment": ["shift"]},
    )
    steps = list(run_trial(spec, bag_catalog(), workspace))
    result = steps[-1]
    assert isinstance(steps[0], Epoch) and isinstance(result, TrialResult)
    assert result.state == "complete", result.reason
    assert result.metrics["test/auroc"] > 0.9
    assert {"predictions.parquet", "weights.safetensors"} <= set(result.files)


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_full_check_asks_of_bags_what_can_be_asked(tmp_path, sample):
    found = full_check(Cache.ensure(SquareBags(sample), tmp_path))
    assert not [item for item in found.findings if item.verdict == "leak"]
    assert "instances" in {row.source for row in found.shortcuts}
    assert ("intensity" in {row.source for row in found.shortcuts}) == (sample != "features")


def test_global_features_of_a_bag_are_the_mean_of_its_images_and_their_number(tmp_path):
    dataset = SquareBags("bag")
    found = list(_global(Cache.ensure(dataset, tmp_path / "bag").split("train")))
    for sample, item in zip(dataset.split("train"), found, strict=True):
        images = dataset.read(sample)
        assert item["instances"].tolist() == [len(images)]
        np.testing.assert_allclose(item["size"], np.mean([feature_parts(image)["size"] for image in images], 0))
    table = Cache.ensure(SquareBags("features"), tmp_path / "table").split("train")
    assert [set(item) for item in _global(table)] == [{"instances"}] * len(table)


def test_an_instance_in_two_splits_is_a_leak(tmp_path):
    class Shared(SquareBags):
        def read(self, sample):
            found = super().read(sample)
            if sample.id in ("train5", "test2"):
                found[0] = np.eye(8, dtype=np.uint8)
            return found

    found = duplicate_findings(Cache.ensure(Shared("bag"), tmp_path / "shared"))
    leaks = [item for item in found if item.verdict == "leak"]
    assert [(item.number, item.rows) for item in leaks] == [(1, (("train: train5", "test: test2"),))]
    assert not [item for item in duplicate_findings(Cache.ensure(SquareBags("bag"), tmp_path)) if item.verdict]


def test_needs_and_samples_must_meet():
    image = Task(classes=("a",))
    bag, table = replace(image, sample="bag"), replace(image, sample="features", features=3)
    provided = {"instances", "bag"}
    assert unmet(set(), {"single_image"}, image) == []
    assert unmet(set(), provided, bag) == ["single_image"]
    assert unmet({"instances"}, provided, bag) == []
    assert unmet({"instances"}, {"single_image"}, image) == ["instances"]
    assert unmet({"views"}, {"instances", "features"}, table) == ["views"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample": "views"},
        {"views": ("a",)},
        {"sample": "views", "views": ("a", "a")},
        {"sample": "features"},
        {"features": 3},
        {"sample": "bag", "mask_kind": "outline"},
    ],
)
def test_a_task_that_contradicts_itself_is_refused(wrong):
    with pytest.raises(ValueError, match="but self."):
        Task(classes=("a",), **wrong)
