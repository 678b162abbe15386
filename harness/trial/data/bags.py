"""Samples of several instances on disk: the instances of all samples in sequence, and the offset of each sample.

Written by `write_bags`, which `cache` calls in place of `write_split`, and mapped by `Bags.of`. Free of torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.errors import InputError
from harness.contract.types import Sample, Split, Task
from harness.trial.data.decode import as_json, decoded, header, mapped

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Instances:
    """The instances of one sample.

    Args:
        values: images "n h w c", uint8 or uint16, or vectors "n d", float32; a missing view is left out.
        slots: position of each in its sample: 0 to n - 1, for views the index of the view.
        coords: "n 2" float32 or None.
    """

    values: Array
    slots: Integers
    coords: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Gathered:
    """The instances of some samples, in sequence.

    Args:
        values: "m h w c" or "m d".
        owners: index of the sample of each, from 0.
        slots: position of each in its sample.
        coords: "m 2" or None.
    """

    values: Array
    owners: Integers
    slots: Integers
    coords: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Bags:
    """The instances of a split, memory-mapped.

    Args:
        values: all instances: "m h w c" or "m d".
        offsets: "n + 1"; sample i has the instances from offsets[i] to offsets[i + 1].
        slots: "m", see `Instances`.
        coords: "m 2" or None.
    """

    values: Array
    offsets: Integers
    slots: Integers
    coords: npt.NDArray[np.float32] | None

    @classmethod
    def of(cls, folder: Path, task: Task) -> Bags:
        """Open the instances in a split's folder."""
        coords = folder / "coords.npy"
        return cls(
            mapped(folder / values_file(task)),
            np.load(folder / "offsets.npy"),
            np.load(folder / "slots.npy"),
            mapped(coords) if coords.exists() else None,
        )

    @property
    def counts(self) -> Integers:
        """Number of instances of each sample."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Integers:
        """The number of the sample that each instance belongs to."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def gather(self, rows: Sequence[int] | Integers) -> Gathered:
        """Return a copy of the instances of these samples; one slice per sample reads a mapped file in order."""
        places = [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]
        return Gathered(
            np.concatenate([self.values[place] for place in places]),
            np.repeat(np.arange(len(places)), [place.stop - place.start for place in places]),
            np.concatenate([self.slots[place] for place in places]),
            None if self.coords is None else np.concatenate([self.coords[place] for place in places]),
        )


def values_file(task: Task) -> str:
    """Return the name of the file that holds images or features."""
    return "features.npy" if task.sample == "features" else "images.npy"


def names(task: Task) -> set[str]:
    """Return the names of the required files of a split of such samples."""
    return {values_file(task), "offsets.npy", "slots.npy", "samples.json"}


def write_bags(dataset: Dataset, name: Split, folder: Path, report: Callable[[int], None]) -> None:
    """Write one split to `images.npy` or `features.npy`, `offsets.npy`, `slots.npy` and, if known, `coords.npy`.

    Args:
        dataset: its `read` is called from several threads.
        name: the split; an empty one gives empty files.
        folder: exists and is empty.
        report: called with 1 after each sample.

    Raises:
        InputError: a sample cannot be read, or does not match the task.
        OSError: a file cannot be written.
    """
    task, samples = dataset.task, dataset.split(name)
    offsets, slots = [0], list[Integers]()
    with ExitStack() as stack:
        values = _Growing(stack.enter_context((folder / values_file(task)).open("wb")), *_empty(task))
        coords: _Growing | None = None
        for sample, found in zip(samples, decoded(lambda one: read_instances(dataset, one), samples), strict=True):
            if len(offsets) == 1:
                values.begin(found.values.dtype)
                if found.coords is not None:
                    coords = _Growing(stack.enter_context((folder / "coords.npy").open("wb")), np.float32, (2,))
            if found.values.dtype != values.dtype or (found.coords is None) != (coords is None):
                deep = found.values.dtype != values.dtype
                unlike = "another depth than" if deep else "coordinates or none, unlike"
                raise InputError(f"sample {sample.id}: has {unlike} the others of {name}")
            values.add(found.values)
            if coords is not None and found.coords is not None:
                coords.add(found.coords)
            offsets.append(offsets[-1] + len(found.values))
            slots.append(found.slots)
            report(1)
        for file in filter(None, (values, coords)):
            file.close()
    np.save(folder / "offsets.npy", np.array(offsets, np.int64))
    np.save(folder / "slots.npy", np.concatenate([np.empty(0, np.int64), *slots]))
    (folder / "samples.json").write_text(json.dumps([as_json(sample) for sample in samples]))


def read_instances(dataset: Dataset, sample: Sample) -> Instances:
    """Read the instances of one sample and check them against the task.

    Raises:
        InputError: there are none, they cannot be read, or they have another size, depth or length.
    """
    task = dataset.task
    try:
        found, coords = dataset.read(sample), dataset.read_coords(sample)
    except OSError as error:
        raise InputError(f"sample {sample.id}: cannot be read: {error}") from error
    slots = np.arange(len(found))
    if task.sample == "views":
        if len(found) != len(task.views):
            raise InputError(f"sample {sample.id}: {len(task.views)} views expected, but got {len(found)}")
        slots = np.array([slot for slot, view in enumerate(found) if view is not None], np.int64)
        found = [view for view in found if view is not None]
    if not len(found):
        raise InputError(f"sample {sample.id}: has no instance; at least one is needed")
    values = _checked(_stacked(found, sample), sample, task)
    if coords is not None and coords.shape != (len(values), 2):
        raise InputError(f"sample {sample.id}: coordinates {(len(values), 2)} expected, but got {coords.shape}")
    return Instances(values, slots, None if coords is None else np.ascontiguousarray(coords, np.float32))


def _stacked(found: Any, sample: Sample) -> Array:
    if isinstance(found, np.ndarray):
        return found
    if len({(image.shape, image.dtype.name) for image in found}) > 1:
        kinds = ", ".join(f"{image.dtype} {image.shape}" for image in found)
        raise InputError(f"sample {sample.id}: images of one size and depth expected, but got {kinds}")
    return np.stack(found)


def _checked(values: Array, sample: Sample, task: Task) -> Array:
    if task.sample == "features":
        if values.ndim != 2 or values.shape[1] != task.features or values.dtype != np.float32:
            expected = f"float32 (n, {task.features})"
            raise InputError(f"sample {sample.id}: {expected} expected, but got {values.dtype} {values.shape}")
        if not np.isfinite(values).all():
            raise InputError(f"sample {sample.id}: features must be finite numbers")
        return values
    if values.ndim == 3:
        values = values[..., None]
    if values.dtype not in (np.uint8, np.uint16) or values.shape[1:] != (*task.image_size, task.channels):
        expected = f"uint8 or uint16 (n, height, width, channels) (n, {(*task.image_size, task.channels)})"
        raise InputError(f"sample {sample.id}: {expected} expected, but got {values.dtype} {values.shape}")
    return values


def _empty(task: Task) -> tuple[Any, tuple[int, ...]]:
    """Return type and shape of an instance for a split without samples."""
    if task.sample == "features":
        return np.float32, (task.features,)
    return np.uint8, (*task.image_size, task.channels)


class _Growing:
    """An .npy file whose length is known only when it is closed; numpy leaves space for it in the header."""

    def __init__(self, file: IO[bytes], dtype: Any, shape: tuple[int, ...]) -> None:
        self._file, self._shape, self._count = file, shape, 0
        self.begin(dtype)

    def begin(self, dtype: Any) -> None:
        """Write the header again, before anything is added."""
        self.dtype = np.dtype(dtype)
        self._head()

    def add(self, values: Array) -> None:
        """Append instances."""
        self._count += len(values)
        self._file.write(np.ascontiguousarray(values).tobytes())

    def close(self) -> None:
        """Write the number of instances to the header and flush the file to disk."""
        self._head()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _head(self) -> None:
        self._file.seek(0)
        header(self._file, self.dtype, (self._count, *self._shape))
