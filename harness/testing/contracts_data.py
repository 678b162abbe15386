"""Laws of data sets.

A plugin's whole test file is

    from harness.testing import DatasetLaws
    import my_plugin

    class TestMyDatasets(DatasetLaws):
        plugin = my_plugin

A data set is built from its `tiny` configuration in an empty data root. If it needs files there, override `dataset`
and write them first.
"""
# ruff: noqa: D102 (a law's name is its docstring)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.contract.components import Component, parameters
from harness.contract.dataset import Dataset
from harness.contract.masks import LAYERS
from harness.contract.types import Sample
from harness.testing.contracts_models import Laws
from harness.trial.data.bags import read_instances
from harness.trial.data.cache import SPLITS, Cache

READ = 6  # samples of each split that are decoded


class DatasetLaws(Laws):
    """Laws of data sets. Set `plugin`, and optionally `only` and `change`; `dataset` may be overridden."""

    kind = "dataset"
    hook = "harness_datasets"
    change: ClassVar[Mapping[str, Any]] = {"image_size": (160, 120)}

    def dataset(self, component: Component[Any], root: Path, **changed: Any) -> Dataset:
        """Return the smallest configuration, with changed parameters, below the data root `root`."""
        factory = self.factory(component)
        made: Dataset = component.build(root, **{**factory.params, **changed})
        return made

    def test_no_group_is_in_two_splits(self, component: Component[Any], tmp_path: Path) -> None:
        splits = _groups(self.dataset(component, tmp_path))
        assert not splits["train"] & (splits["val"] | splits["tune_loc"] | splits["test"])
        assert not splits["test"] & (splits["val"] | splits["tune_loc"])

    def test_ids_are_unique_and_a_unit_has_one_group(self, component: Component[Any], tmp_path: Path) -> None:
        samples = list(_all(self.dataset(component, tmp_path)))
        assert len({sample.id for sample in samples}) == len(samples)
        pairs = {(sample.unit, sample.group) for sample in samples}
        assert len({unit for unit, _ in pairs}) == len(pairs)

    def test_every_class_is_present_and_absent_in_every_split(self, component: Component[Any], tmp_path: Path) -> None:
        dataset = self.dataset(component, tmp_path)
        for name in ("train", "val", "test"):
            labels = np.array([sample.labels for sample in dataset.split(name)])
            assert labels.shape[1:] == (len(dataset.task.classes),)
            assert set(np.unique(labels[~np.isnan(labels)])) <= {0.0, 1.0}
            assert (labels == 1).any(0).all() and (labels == 0).any(0).all(), name

    def test_what_training_sees_has_no_way_to_a_mask(self, component: Component[Any], tmp_path: Path) -> None:
        dataset = self.dataset(component, tmp_path)
        masks = {str(path) for path in dataset.mask_files()} | {path.name for path in dataset.mask_files()}
        for sample in _all(dataset):
            assert {field.name for field in fields(sample)} == {"id", "group", "unit", "labels", "source"}
            text = str(sample.source)
            assert not any(mask in text for mask in masks)

    def test_images_have_the_size_and_depth_that_the_task_states(
        self, component: Component[Any], tmp_path: Path
    ) -> None:
        dataset = self.dataset(component, tmp_path)
        task, depths = dataset.task, set()
        if task.sample != "image":
            depths = {str(read_instances(dataset, sample).values.dtype) for sample in _some(dataset)}
            assert depths in ({"uint8"}, {"uint16"}, {"float32"})
            return
        for sample in _some(dataset):
            image = np.asarray(dataset.read(sample))
            assert image.shape == (*task.image_size, *([] if task.channels == 1 else [task.channels]))
            depths.add(str(image.dtype))
        assert depths in ({"uint8"}, {"uint16"})

    def test_metadata_are_texts_and_numbers_and_stay_the_same(self, component: Component[Any], tmp_path: Path) -> None:
        one, other = self.dataset(component, tmp_path), self.dataset(component, tmp_path)
        for sample in _all(one):
            known = one.metadata(sample)
            assert all(isinstance(key, str) for key in known)
            assert all(isinstance(value, str) or np.isfinite(value) for value in known.values())
            assert not set(known.values()) & {sample.id, sample.group}
            assert other.metadata(sample) == known

    def test_masks_are_zeros_and_ones_or_layers_and_empty_where_the_label_is_0(
        self, component: Component[Any], tmp_path: Path
    ) -> None:
        dataset = self.dataset(component, tmp_path)
        for sample in _some(dataset):
            mask = dataset.read_mask(sample)
            if dataset.task.mask_kind == "none":
                assert mask is None
            elif mask is not None:
                assert mask.dtype == np.uint8 and mask.shape == (len(sample.labels), *dataset.task.image_size)
                assert set(np.unique(mask)) <= (set(LAYERS) if dataset.task.mask_kind == "layers" else {0, 1})
                assert not mask[np.array(sample.labels) == 0].any()

    def test_the_task_is_known_before_the_data_set_is_built(self, component: Component[Any], tmp_path: Path) -> None:
        dataset = self.dataset(component, tmp_path)
        assert component.task is not None
        assert component.task(**self.parameters(component)) == dataset.task

    def test_reading_is_a_function_of_the_sample(self, component: Component[Any], tmp_path: Path) -> None:
        one, other = self.dataset(component, tmp_path), self.dataset(component, tmp_path)
        samples = list(_some(one))
        images, masks = [_values_of(one, sample) for sample in samples], [one.read_mask(sample) for sample in samples]
        for number in reversed(range(len(samples))):
            np.testing.assert_array_equal(_values_of(other, samples[number]), images[number])
            np.testing.assert_array_equal(other.read_mask(samples[number]), masks[number])

    def test_preparing_twice_is_preparing_once(self, component: Component[Any], tmp_path: Path) -> None:
        dataset = self.dataset(component, tmp_path)
        dataset.prepare()
        digest, files = dataset.digest, _files(tmp_path)
        samples = list(_all(dataset))
        dataset.prepare()
        assert dataset.digest == digest and _files(tmp_path) == files and list(_all(dataset)) == samples

    def test_the_digest_is_stable_and_follows_the_parameters(self, component: Component[Any], tmp_path: Path) -> None:
        if not set(self.change) <= set(parameters(component.build)):
            pytest.skip(f"{component.name} does not take {', '.join(self.change)}; set `change`")
        digest = self.dataset(component, tmp_path).digest
        assert len(digest) >= 16
        assert self.dataset(component, tmp_path).digest == digest
        assert self.dataset(component, tmp_path, **self.change).digest != digest

    def test_the_cache_holds_what_read_gives(self, component: Component[Any], tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        dataset = self.dataset(component, tmp_path / "data")
        part = Cache.ensure(dataset, tmp_path / "cache").split("val")
        assert part.samples and [sample.id for sample in part.samples] == [sample.id for sample in dataset.split("val")]
        if part.bags is not None:
            for row, sample in enumerate(part.samples[:READ]):
                np.testing.assert_array_equal(part.bags.gather([row]).values, _values_of(dataset, sample))
            return
        for sample, image in list(zip(part.samples, part.images, strict=True))[:READ]:
            np.testing.assert_array_equal(np.squeeze(image), np.squeeze(np.asarray(dataset.read(sample))))

    def parameters(self, component: Component[Any]) -> Mapping[str, Any]:
        """Return the parameters that `dataset` builds with."""
        return self.factory(component).params


def _values_of(dataset: Dataset, sample: Sample) -> Any:
    """Return the pixels of an image, or the values of all instances of a sample."""
    return dataset.read(sample) if dataset.task.sample == "image" else read_instances(dataset, sample).values


def _all(dataset: Dataset) -> Iterator[Sample]:
    for name in SPLITS:
        yield from dataset.split(name)


def _some(dataset: Dataset) -> Iterator[Sample]:
    for name in SPLITS:
        yield from dataset.split(name)[:READ]


def _groups(dataset: Dataset) -> dict[str, set[str]]:
    return {name: {sample.group for sample in dataset.split(name)} for name in SPLITS}


def _files(root: Path) -> dict[str, tuple[int, int]]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}
