"""Samples of several instances on disk: the instances of all one after the other, and where each sample's begin.

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
    """What is read of one sample.

    Args:
        values: images "n h w c", uint8 or uint16, or vectors "n d", float32; a missing view is left out.
        slots: the place of each among its sample's: 0 to n - 1, of views which of them it is.
        coords: "n 2" float32 or None.
    """

    values: Array
    slots: Integers
    coords: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Gathered:
    """The instances of some samples, one after the other.

    Args:
        values: "m h w c" or "m d".
        owners: which of the samples each belongs to, from 0.
        slots: and its place there.
        coords: "m 2" or None.
    """

    values: Array
    owners: Integers
    slots: Integers
    coords: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Bags:
    """Where the instances of a split are.

    Args:
        values: all of them, mapped: "m h w c" or "m d".
        offsets: sample i has those from offsets[i] to offsets[i + 1], "n + 1".
        slots: "m", see `Instances`.
        coords: "m 2" or None.
    """

    values: Array
    offsets: Integers
    slots: Integers
    coords: npt.NDArray[np.float32] | None

    @classmethod
    def of(cls, folder: Path, task: Task) -> Bags:
        """Those of a split's folder."""
        coords = folder / "coords.npy"
        return cls(
            mapped(folder / values_file(task)),
            np.load(folder / "offsets.npy"),
            np.load(folder / "slots.npy"),
            mapped(coords) if coords.exists() else None,
        )

    @property
    def counts(self) -> Integers:
        """How many instances each sample has."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Integers:
        """The number of the sample that each instance belongs to."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def gather(self, rows: Sequence[int] | Integers) -> Gathered:
        """The instances of these samples, copied; a slice a sample reads a mapped file in order."""
        places = [slice(int(self.offsets[row]), int(self.offsets[row + 1])) for row in rows]
        return Gathered(
            np.concatenate([self.values[place] for place in places]),
            np.repeat(np.arange(len(places)), [place.stop - place.start for place in places]),
            np.concatenate([self.slots[place] for place in places]),
            None if self.coords is None else np.concatenate([self.coords[place] for place in places]),
        )


def values_file(task: Task) -> str:
    """The name of the file that holds images or features."""
    return "features.npy" if task.sample == "features" else "images.npy"


def names(task: Task) -> set[str]:
    """The files that a split of such samples cannot do without."""
    return {values_file(task), "offsets.npy", "slots.npy", "samples.json"}


def write_bags(dataset: Dataset, name: Split, folder: Path, report: Callable[[int], None]) -> None:
    """Reads one split into `images.npy` or `features.npy`, `offsets.npy`, `slots.npy` and, if known, `coords.npy`.

    Args:
        dataset: its `read` is called from several threads.
        name: the split; an empty one gives empty files.
        folder: exists and is empty.
        report: called with 1 after each sample.

    Raises:
        InputError: a sample cannot be read, or is not what the task promises.
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
                told = (
                    "has coordinates or has none, unlike" if found.values.dtype == values.dtype else "is not as deep as"
                )
                raise InputError(f"sample {sample.id}: {told} the others of {name}")
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
    """The instances of one sample, found to be what the task promises.

    Raises:
        InputError: they cannot be read, are none, or have another size, depth or length.
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
        told = ", ".join(f"{image.dtype} {image.shape}" for image in found)
        raise InputError(f"sample {sample.id}: images of one size and depth expected, but got {told}")
    return np.stack(found)


def _checked(values: Array, sample: Sample, task: Task) -> Array:
    if task.sample == "features":
        if values.ndim != 2 or values.shape[1] != task.features or values.dtype != np.float32:
            told = f"float32 (n, {task.features}) expected, but got {values.dtype} {values.shape}"
            raise InputError(f"sample {sample.id}: {told}")
        if not np.isfinite(values).all():
            raise InputError(f"sample {sample.id}: features that are no finite numbers")
        return values
    if values.ndim == 3:
        values = values[..., None]
    if values.dtype not in (np.uint8, np.uint16) or values.shape[1:] != (*task.image_size, task.channels):
        expected = f"uint8 or uint16 (n, height, width, channels) (n, {(*task.image_size, task.channels)})"
        raise InputError(f"sample {sample.id}: {expected} expected, but got {values.dtype} {values.shape}")
    return values


def _empty(task: Task) -> tuple[Any, tuple[int, ...]]:
    """Type and shape of an instance where a split has none."""
    if task.sample == "features":
        return np.float32, (task.features,)
    return np.uint8, (*task.image_size, task.channels)


class _Growing:
    """An .npy file whose first axis is known when it is closed; numpy leaves room for that in the header."""

    def __init__(self, file: IO[bytes], dtype: Any, shape: tuple[int, ...]) -> None:
        self._file, self._shape, self._count = file, shape, 0
        self.begin(dtype)

    def begin(self, dtype: Any) -> None:
        """Writes the header anew; nothing was added yet."""
        self.dtype = np.dtype(dtype)
        self._head()

    def add(self, values: Array) -> None:
        """Writes instances behind the others."""
        self._count += len(values)
        self._file.write(np.ascontiguousarray(values).tobytes())

    def close(self) -> None:
        """Puts the number of instances into the header, and everything on the disk."""
        self._head()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _head(self) -> None:
        self._file.seek(0)
        header(self._file, self.dtype, (self._count, *self._shape))
