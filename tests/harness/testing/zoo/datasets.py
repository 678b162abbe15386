"""Data sets that each break one law: all are noise with a bright square, but for one thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness import Dataset, Sample, Task
from tests.harness.testing.zoo.animal import Animal, animal

COUNT = 4


def task(*, size: int = 8) -> Task:
    return Task(classes=("bright",), image_size=(size, size), mask_kind="outline")


class Honest(Dataset):
    def __init__(self, root, size):
        self.task, self.root = task(size=size), root

    @property
    def digest(self):
        return f"a data set of the zoo, {self.task.image_size}"

    def split(self, name):
        return tuple(self.sample(name, number) for number in range(0 if name == "tune_loc" else COUNT))

    def sample(self, name, number):
        key = f"{name}{number}"
        return Sample(id=key, group=key, unit=key, labels=(float(number % 2),))

    def read(self, sample):
        noise = np.random.default_rng(list(sample.id.encode())).integers(0, 100, self.task.image_size, np.uint8)
        return noise + 100 * self.square(sample)[0]

    def read_mask(self, sample):
        return self.square(sample)

    def square(self, sample):
        mask = np.zeros((1, *self.task.image_size), np.uint8)
        mask[0, 2:5, 2:5] = sample.labels[0]
        return mask


class OnePatient(Honest):
    def sample(self, name, number):
        sample = super().sample(name, number)
        return Sample(id=sample.id, group="p", unit=sample.id, labels=sample.labels)


class TwoOfAName(Honest):
    def sample(self, name, number):
        return super().sample(name, number % 3 if number else 0)


class OnlyNegatives(Honest):
    def sample(self, name, number):
        return super().sample(name, 2 * number if name == "val" else number)


class Leaking(Honest):
    def sample(self, name, number):
        key = f"{name}{number}"
        return Sample(id=key, group=key, unit=key, labels=(float(number % 2),), source=str(self.root / "mask.png"))

    def mask_files(self):
        return (self.root / "mask.png",)


class TwoDepths(Honest):
    def read(self, sample):
        return super().read(sample).astype(np.uint16 if sample.id.startswith("test") else np.uint8)


class Naming(Honest):
    def metadata(self, sample):
        return {"file": sample.id}


class AlwaysDrawn(Honest):
    def read_mask(self, sample):
        return np.ones((1, *self.task.image_size), np.uint8)


class Counting(Honest):
    """Reads each image differently each time."""

    def __init__(self, root, size):
        super().__init__(root, size)
        self.calls = 0

    def read(self, sample):
        self.calls += 1
        return super().read(sample) + np.uint8(self.calls)


class Appending(Honest):
    def prepare(self):
        with (self.root / "log.txt").open("a") as file:
            file.write("prepared\n")


class OfAnotherSize(Honest):
    digest = "a data set of the zoo, of any size"


class Forgetting(Honest):
    """Reads an image as it is once, and then as black."""

    def __init__(self, root, size):
        super().__init__(root, size)
        self.known = set()

    def read(self, sample):
        image = super().read(sample)
        black = sample.id in self.known
        self.known.add(sample.id)
        return image * np.uint8(not black)


def _is(law: str, made: type[Honest], *also: str, **declared: Any) -> Animal:
    def build(root: Path, /, *, size: int = 8) -> Dataset:
        return made(root, size)

    return animal(law, build, also, **{"task": task, **declared})


ANIMALS = [
    _is("no_group_is_in_two_splits", OnePatient),
    _is("ids_are_unique_and_a_unit_has_one_group", TwoOfAName),
    _is("every_class_is_present_and_absent_in_every_split", OnlyNegatives),
    _is("what_training_sees_has_no_way_to_a_mask", Leaking),
    _is("images_have_the_size_and_depth_that_the_task_states", TwoDepths),
    _is("metadata_are_texts_and_numbers_and_stay_the_same", Naming),
    _is("masks_are_zeros_and_ones_or_layers_and_empty_where_the_label_is_0", AlwaysDrawn),
    _is("the_task_is_known_before_the_data_set_is_built", Honest, task=None),
    _is("reading_is_a_function_of_the_sample", Counting, "the_cache_holds_what_read_gives"),
    _is("preparing_twice_is_preparing_once", Appending),
    _is("the_digest_is_stable_and_follows_the_parameters", OfAnotherSize),
    _is("the_cache_holds_what_read_gives", Forgetting, "reading_is_a_function_of_the_sample"),
    _is("declared_failures_are_laws", Honest, xfail={"no_law": "there is no such law"}),
]
HONEST = _is("honest", Honest)
