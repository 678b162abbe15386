"""Laws of data sets, built from their smallest configuration in an empty data root.

`Settings.files` writes the files that a data set needs there, `Settings.params` names them.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from harness.contract.components import parameters
from harness.contract.dataset import Dataset
from harness.contract.errors import InputError
from harness.contract.masks import LAYERS
from harness.contract.types import Sample
from harness.testing.laws.law import Law, SkipLaw, expect, law
from harness.testing.laws.subject import Subject
from harness.trial.data.bags import read_instances
from harness.trial.data.cache import SPLITS, Cache

LAWS: list[Law] = []
READ = 6
"""Samples of each split that are decoded."""


@law(LAWS, mend="Split by patient: give all samples of a group to one split.")
def no_group_is_in_two_splits(subject: Subject) -> None:
    """Check that training, the splits that choose, and test share no group."""
    dataset = _dataset(subject)
    groups = {name: {sample.group for sample in dataset.split(name)} for name in SPLITS}
    chosen = groups["val"] | groups["tune_loc"]
    pairs = {"train": (groups["train"], chosen | groups["test"]), "test": (groups["test"], chosen)}
    for name, (own, other) in pairs.items():
        shared = sorted(own & other)
        expect(not shared, f"{len(shared)} groups of {name} are in another split, as {shared[:3]}")


@law(LAWS, mend="Make `id` unique in the data set, and give a `unit` one `group`.")
def ids_are_unique_and_a_unit_has_one_group(subject: Subject) -> None:
    """Check that no id occurs twice and no unit has two groups."""
    samples = list(_all(_dataset(subject)))
    ids = [sample.id for sample in samples]
    expect(len(set(ids)) == len(ids), f"{len(ids) - len(set(ids))} ids occur more than once")
    pairs = {(sample.unit, sample.group) for sample in samples}
    expect(len({unit for unit, _ in pairs}) == len(pairs), "a unit has two groups")


@law(LAWS, mend="Give each sample a label (0, 1 or NaN) for each class, and each split both labels of each class.")
def every_class_is_present_and_absent_in_every_split(subject: Subject) -> None:
    """Check that labels are 0, 1 or NaN, and train, val and test have both labels of every class."""
    dataset = _dataset(subject)
    for name in ("train", "val", "test"):
        labels = np.array([sample.labels for sample in dataset.split(name)])
        expect(labels.shape[1:] == (len(dataset.task.classes),), f"labels of {name} have the shape {labels.shape}")
        found = set(np.unique(labels[~np.isnan(labels)]).tolist())
        expect(found <= {0.0, 1.0}, f"labels of {name} are {sorted(found)}")
        for value in (0, 1):
            lacking = [dataset.task.classes[k] for k in np.flatnonzero(~(labels == value).any(0))]
            expect(not lacking, f"{name} has no label {value} of {', '.join(lacking)}")


@law(LAWS, mend="Keep paths of masks in the data set, not in `Sample.source`.")
def what_training_sees_has_no_way_to_a_mask(subject: Subject) -> None:
    """Check that samples have no further field, and no `source` names a mask file."""
    dataset = _dataset(subject)
    masks = {str(path) for path in dataset.mask_files()} | {path.name for path in dataset.mask_files()}
    for sample in _all(dataset):
        names = {field.name for field in fields(sample)}
        expect(names == {"id", "group", "unit", "labels", "source"}, f"a sample has the fields {sorted(names)}")
        text = str(sample.source)
        expect(not any(mask in text for mask in masks), f"the source of {sample.id} names a mask: {text}")


@law(LAWS, mend="Resize to `task.image_size` in `read`, and keep one depth: uint8 or uint16, float32 for features.")
def images_have_the_size_and_depth_that_the_task_states(subject: Subject) -> None:
    """Check that decoded samples have the size, channels and one depth."""
    dataset = _dataset(subject)
    task, depths = dataset.task, set()
    for sample in _some(dataset):
        values = _values(dataset, sample)
        depths.add(str(values.dtype))
        if task.sample == "image":
            wanted = (*task.image_size, *([] if task.channels == 1 else [task.channels]))
            expect(values.shape == wanted, f"{sample.id} has the shape {values.shape}, not {wanted}")
    allowed = [{"uint8"}, {"uint16"}] + ([] if task.sample == "image" else [{"float32"}])
    expect(depths in allowed, f"values are {', '.join(sorted(depths))}")


@law(LAWS, mend="Return texts and finite numbers, the same each time; leave out ids and groups.")
def metadata_are_texts_and_numbers_and_stay_the_same(subject: Subject) -> None:
    """Check that metadata are texts or finite numbers, no identifier, and the same in a new data set."""
    one, other = _dataset(subject), _new(subject)
    for sample in _all(one):
        known = one.metadata(sample)
        right = all(isinstance(value, str) or np.isfinite(value) for value in known.values())
        expect(right and all(isinstance(key, str) for key in known), f"metadata of {sample.id}: {dict(known)}")
        expect(not set(known.values()) & {sample.id, sample.group}, f"metadata of {sample.id} hold its id or group")
        expect(other.metadata(sample) == known, f"metadata of {sample.id} differ in a new data set")


@law(LAWS, mend='Return uint8 "k h w" of 0 and 1, or None; a class whose label is 0 has an empty mask.')
def masks_are_zeros_and_ones_or_layers_and_empty_where_the_label_is_0(subject: Subject) -> None:
    """Check that masks fit `task.mask_kind`, and are empty where the label is 0."""
    dataset = _dataset(subject)
    for sample in _some(dataset):
        mask = dataset.read_mask(sample)
        if dataset.task.mask_kind == "none":
            expect(mask is None, f"{sample.id} has a mask, and `mask_kind` is none")
        elif mask is not None:
            wanted = (len(sample.labels), *dataset.task.image_size)
            expect(mask.dtype == np.uint8 and mask.shape == wanted, f"{sample.id}: {mask.dtype} {mask.shape}")
            found = set(np.unique(mask).tolist())
            allowed = set(LAYERS) if dataset.task.mask_kind == "layers" else {0, 1}
            expect(found <= allowed, f"the mask of {sample.id} holds {sorted(found - allowed)[:5]}")
            expect(not mask[np.array(sample.labels) == 0].any(), f"{sample.id} has a mask where its label is 0")


@law(LAWS, mend="Write `Component.task`, which computes the same task from the parameters.")
def the_task_is_known_before_the_data_set_is_built(subject: Subject) -> None:
    """Check that `Component.task` gives the task of the built data set."""
    dataset, known = _dataset(subject), subject.component.task
    expect(known is not None, "the component has no `task`")
    assert known is not None
    stated = known(**subject.factory().params)
    expect(stated == dataset.task, f"`Component.task` gives {stated}, the data set {dataset.task}")


@law(LAWS, mend="Read from the sample alone: no counter, no shared generator.")
def reading_is_a_function_of_the_sample(subject: Subject) -> None:
    """Check that another order of reading, in a new data set, gives the same pixels and masks."""
    one, other = _dataset(subject), _new(subject)
    samples = list(_some(one))
    read = [(_values(one, sample), one.read_mask(sample)) for sample in samples]
    for sample, (values, mask) in reversed(list(zip(samples, read, strict=True))):
        again, drawn = _values(other, sample), other.read_mask(sample)
        expect(np.array_equal(again, values), f"{sample.id} is read differently in another order")
        same = np.array_equal(drawn, mask) if drawn is not None and mask is not None else drawn is mask
        expect(same, f"the mask of {sample.id} is read differently in another order")


@law(LAWS, mend="Write a file only where it is missing.")
def preparing_twice_is_preparing_once(subject: Subject) -> None:
    """Check that a second `prepare` changes neither files nor digest nor samples."""
    root = _root(subject)
    dataset = _new(subject, root)
    dataset.prepare()
    digest, files, samples = dataset.digest, _files(root), list(_all(dataset))
    dataset.prepare()
    expect(dataset.digest == digest, "the digest differs")
    expect(_files(root) == files, "files differ")
    expect(list(_all(dataset)) == samples, "samples differ")


@law(LAWS, mend="Compute the digest from every parameter and every file that changes pixels, labels or masks.")
def the_digest_is_stable_and_follows_the_parameters(subject: Subject) -> None:
    """Check that the digest repeats, and other parameters have another one."""
    change = subject.settings.change
    if not set(change) <= set(parameters(subject.component.build)):
        raise SkipLaw(f"it does not take {', '.join(change)}; name parameters in `change`")
    dataset = _dataset(subject)
    expect(len(dataset.digest) >= 16, f"the digest has {len(dataset.digest)} signs")
    root = _shared_root(subject)
    expect(_new(subject, root).digest == dataset.digest, "a new data set has another digest")
    expect(_new(subject, root, **change).digest != dataset.digest, f"{dict(change)} leaves the digest as it is")


@law(LAWS, mend="Return from `read` exactly what a later stage needs: the cache stores it unchanged.")
def the_cache_holds_what_read_gives(subject: Subject) -> None:
    """Check that the cache of the validation split holds the samples and their pixels."""
    dataset = _new(subject, _root(subject))
    with tempfile.TemporaryDirectory() as folder:
        part = Cache.ensure(dataset, Path(folder)).split("val")
        ids = [sample.id for sample in dataset.split("val")]
        expect(ids and [sample.id for sample in part.samples] == ids, "the cache holds other samples")
        for row, sample in enumerate(part.samples[:READ]):
            cached = part.images[[row]] if part.bags is None else part.bags.gather(np.array([row])).values
            values = _values(dataset, sample)
            same = np.array_equal(np.squeeze(cached), np.squeeze(values))
            expect(same, f"the cache holds other values of {sample.id}")
        del part


def _dataset(subject: Subject) -> Dataset:
    """Return one data set that all laws read."""
    made: Dataset = subject.once("data set", lambda: _new(subject, _shared_root(subject)))
    return made


def _new(subject: Subject, root: Path | None = None, **changed: Any) -> Dataset:
    """Return a new data set below a data root.

    Raises:
        SkipLaw: it needs files or parameters that only its author has.
    """
    try:
        made: Dataset = subject.factory(**changed)(root or _shared_root(subject))
        made.split("train")
    except InputError as error:
        raise SkipLaw(f"it cannot be built in an empty data root: {error}") from error
    return made


def _shared_root(subject: Subject) -> Path:
    root: Path = subject.once("data root", lambda: _root(subject))
    return root


def _root(subject: Subject) -> Path:
    """Return a new data root with the files of the settings; it is removed when the process ends."""
    root = Path(tempfile.mkdtemp(prefix="harness-laws-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    if subject.settings.files is not None:
        subject.settings.files(root)
    return root


def _values(dataset: Dataset, sample: Sample) -> np.ndarray:
    """Return the pixels of an image, or the values of all instances of a sample."""
    if dataset.task.sample == "image":
        return np.asarray(dataset.read(sample))
    return np.asarray(read_instances(dataset, sample).values)


def _all(dataset: Dataset) -> Iterator[Sample]:
    for name in SPLITS:
        yield from dataset.split(name)


def _some(dataset: Dataset) -> Iterator[Sample]:
    for name in SPLITS:
        yield from dataset.split(name)[:READ]


def _files(root: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}
