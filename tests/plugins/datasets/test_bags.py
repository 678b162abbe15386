"""Bags of digits, and bags of features from files."""

from __future__ import annotations

import csv
import io
import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

import harness_datasets
from harness.audit.datacheck import full_check
from harness.contract.errors import InputError
from harness.testing import laws_for
from harness.trial.data.bags import read_instances
from harness.trial.data.cache import Cache
from harness_datasets.digit_bags.component import build_digit_bags, build_mnist_bags
from harness_datasets.feature_bags.component import build_feature_bags
from harness_datasets.feature_bags.files import read_vectors

WIDTH = 5


def _write(folder: Path, suffix: str = ".npy", bags: int = 24) -> Path:
    """A table of bags with labels that take turns, and a file of each, with coordinates where it can hold them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    with (folder / "bags.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["features", "patient_id", "label_a", "label_b", "split"])
        for number in range(bags):
            name = f"{number}{suffix}"
            vectors, places = rng.normal(size=(1 + number % 4, WIDTH)), rng.integers(0, 99, (1 + number % 4, 2))
            (folder / name).write_bytes(_file(suffix, vectors.astype(np.float32), places))
            split = ("train", "val", "test")[number * 3 // bags]
            writer.writerow([name, f"p{number // 2}", number % 2, number // 4 % 2, split])
    return folder / "bags.csv"


def _file(suffix: str, vectors: np.ndarray, places: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".npy":
        np.save(buffer, vectors)
    elif suffix == ".h5":
        with h5py.File(buffer, "w") as file:
            file["features"], file["coords"] = vectors, places
    else:
        table = pd.DataFrame(vectors, columns=[f"f{n}" for n in range(vectors.shape[1])])
        table.assign(x=places[:, 0], y=places[:, 1]).to_parquet(buffer)
    return buffer.getvalue()


def _open(root: Path, **changed):
    return build_feature_bags(root, path="bags.csv", labels=("a", "b"), **{"features": WIDTH, **changed})


@pytest.mark.parametrize(("suffix", "coords"), [(".npy", ""), (".h5", "coords"), (".parquet", "x,y")])
def test_vectors_and_places_are_what_the_file_holds(tmp_path, suffix, coords):
    _write(tmp_path, suffix)
    dataset = _open(tmp_path, coords=coords)
    rng = np.random.default_rng(0)
    for number, sample in enumerate(s for name in ("train", "val", "test") for s in dataset.split(name)):
        vectors, places = rng.normal(size=(1 + number % 4, WIDTH)), rng.integers(0, 99, (1 + number % 4, 2))
        found = read_instances(dataset, sample)
        np.testing.assert_array_equal(found.values, vectors.astype(np.float32))
        if coords:
            np.testing.assert_array_equal(found.coords, places)
        else:
            assert found.coords is None


def test_all_mistakes_of_the_table_are_told_at_once(tmp_path):
    path = _write(tmp_path)
    text = path.read_text().replace("3.npy,p1,1", "../3.npy,p1,7").replace("8.npy,p4", "gone.npy,p4")
    path.write_text(text.replace("5.npy,p2", "5.npy,"))
    with pytest.raises(InputError) as raised:
        _open(tmp_path)
    told = str(raised.value)
    assert "row 5: features: '../3.npy' climbs out" in told and "row 5: label_a: 0, 1 or nothing" in told
    assert "row 7: patient_id: is empty" in told
    path.write_text(_write(tmp_path).read_text().replace("8.npy,p4", "gone.npy,p4").replace("9.npy", "lost.npy"))
    with pytest.raises(InputError, match="(?s)row 10: no such file: gone.npy.*row 11: no such file: lost.npy"):
        _open(tmp_path)


def test_all_wrong_files_are_told_at_once(tmp_path):
    _write(tmp_path)
    np.save(tmp_path / "1.npy", np.zeros((2, WIDTH + 1), np.float32))
    np.save(tmp_path / "2.npy", np.full((2, WIDTH), np.nan, np.float32))
    np.save(tmp_path / "3.npy", np.zeros((0, WIDTH), np.float32))
    (tmp_path / "4.npy").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError) as raised:
        _open(tmp_path).prepare()
    told = str(raised.value).splitlines()
    assert len(told) == 4
    for line, reason in zip(
        told, ("vectors of 5 expected", "not every number is finite", "there are none"), strict=False
    ):
        assert reason in line


def test_an_unknown_key_or_kind_of_file_is_named(tmp_path):
    _write(tmp_path, ".h5")
    with pytest.raises(InputError, match="no data set named feats; there are coords, features"):
        _open(tmp_path, key="feats").prepare()
    with pytest.raises(InputError, match="climbs out of the data root"):
        build_feature_bags(tmp_path, path="../bags.csv", labels=("a",), features=2)


def _digits(dataset, name):
    return {digit for sample in dataset.split(name) for digit in sample.source["digits"]}


def test_digits_of_one_split_are_in_no_other(tmp_path):
    dataset = build_digit_bags(tmp_path, bags=(60, 60, 60))
    train, val, test = (_digits(dataset, name) for name in ("train", "val", "test"))
    assert not train & val and not train & test and not val & test


def test_a_negative_bag_has_no_target_and_a_positive_one_has(tmp_path):
    dataset = build_digit_bags(tmp_path, bags=(40, 20, 20))
    says = dataset._ink[1]["train"]
    for sample in dataset.split("train"):
        for target, label in zip((9, 3), sample.labels, strict=True):
            assert bool(set(sample.source["digits"]) & set(says[target].tolist())) == bool(label)


def test_the_balanced_law_is_balanced_and_sizes_say_nothing(tmp_path):
    dataset = build_digit_bags(tmp_path, bags=(400, 20, 20), targets=(9,))
    samples = dataset.split("train")
    labels = np.array([sample.labels[0] for sample in samples])
    sizes = np.array([len(sample.source["digits"]) for sample in samples])
    assert labels.mean() == 0.5
    assert abs(sizes[labels == 1].mean() - sizes[labels == 0].mean()) < 4 * sizes.std() / 10
    assert abs(sizes.mean() - 9.5) < 0.4 and sizes.min() >= 1, "the integer part of a Gaussian of mean 10"


def test_the_random_law_is_positive_as_often_as_chance_has_it(tmp_path):
    dataset = build_digit_bags(tmp_path, bags=(600, 20, 20), targets=(9,), law="random")
    share = np.mean([sample.labels[0] for sample in dataset.split("train")])
    assert abs(share - (1 - 0.9**9.5)) < 0.08


def test_more_bags_leave_the_others_as_they_are(tmp_path):
    few, many = (build_digit_bags(tmp_path, bags=(count, 8, 8)) for count in (10, 50))
    assert few.split("train") == many.split("train")[:10]
    assert few.split("test") == many.split("test")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bags": (1, 8, 8)}, "bags: 2 or more"),
        ({"targets": (9, 9)}, "targets: different digits"),
        ({"targets": (11,)}, "targets: different digits"),
        ({"mean": 0.0}, "mean: 1 or more"),
        ({"digit_px": 4}, "digit_px: 8 or more"),
    ],
)
def test_parameters_that_cannot_work_are_told(tmp_path, wrong, told):
    with pytest.raises(InputError, match=told):
        build_digit_bags(tmp_path, **wrong)


def test_mnist_bags_say_which_file_they_lack(tmp_path):
    with pytest.raises(InputError, match="digits_t10k.npz: .* needs this file below the data root"):
        build_mnist_bags(tmp_path).prepare()


def test_mnist_bags_are_digits_as_they_are(data_root):
    dataset = build_mnist_bags(data_root, bags=(20, 4, 4))
    with np.load(data_root / "digits" / "digits_t10k.npz") as file:
        images = file["images"]
    for sample in dataset.split("train"):
        np.testing.assert_array_equal(dataset.read(sample), images[sample.source["digits"]])
    assert dataset.task.classes == ("digit_9",)


@pytest.mark.slow
def test_neither_size_nor_exposure_tells_the_labels_of_digit_bags(tmp_path):
    """Means of an instance's own features do tell (.76 of these bags): an instance is nothing but a digit."""
    dataset = build_digit_bags(tmp_path, bags=(500, 200, 20), digit_px=20)
    samples = [sample for split in ("train", "val") for sample in dataset.split(split)]
    known = {"size": [len(sample.source["digits"]) for sample in samples]}
    known["exposure"] = [dataset.metadata(sample)["exposure"] for sample in samples]
    for values in known.values():
        for label in np.array([sample.labels for sample in samples]).T:
            assert abs(roc_auc_score(label, values) - 0.5) < 0.07
    found = full_check(Cache.ensure(dataset, tmp_path))
    assert not [item for item in found.findings if item.verdict == "leak"]


def _write_digits(root: Path) -> None:
    (root / "digits").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)
    np.savez(root / "digits" / "digits_t10k.npz", images=pixels, labels=np.arange(300) % 10)


TABLE = {"path": "set/bags.csv", "labels": ["a", "b"], "features": WIDTH, "folds": 3}
test_digit_bags = laws_for(harness_datasets, only=("digit_bags",), change={"mean": 5.0})
test_mnist_bags = laws_for(harness_datasets, only=("mnist_bags",), change={"mean": 5.0}, files=_write_digits)
test_feature_bags = laws_for(
    harness_datasets,
    only=("feature_bags",),
    change={"fold": 1},
    params=TABLE,
    files=lambda root: _write(root / "set"),
)


@pytest.mark.parametrize("stored", ["tensor", "entry"])
def test_tensors_of_clam_are_read_and_python_objects_are_not_run(tmp_path, stored):
    content = io.BytesIO()
    vectors = torch.arange(6.0).reshape(3, 2)
    torch.save(vectors if stored == "tensor" else {"features": vectors, "other": vectors + 1}, content)
    found = read_vectors(content.getvalue(), ".pt", "features", "")
    np.testing.assert_array_equal(found.features, vectors.numpy())
    if stored == "entry":
        with pytest.raises(ValueError, match="no entry named feats; there are features, other: `key` names one"):
            read_vectors(content.getvalue(), ".pt", "feats", "")
    other = io.BytesIO()
    torch.save({"features": Path}, other)
    with pytest.raises(pickle.UnpicklingError):
        read_vectors(other.getvalue(), ".pt", "features", "")
