"""Decoding of a split into the files of a cache. Free of torch.

Files are written sequentially and never through a memory map: a full disk then raises OSError, while a
map would end the process with SIGBUS.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.errors import InputError
from harness.contract.masks import LAYERS
from harness.contract.types import Sample, Split, Task
from harness.trial.data.originals import Masks, Writer, read_original

Array = npt.NDArray[Any]
Decoded = tuple[Array, npt.NDArray[np.uint8] | None, Masks | None]
T = TypeVar("T")
AT_ONCE = 8  # images held in memory: at 2944 x 1920 with two outlines about 180 MB


def write_split(dataset: Dataset, name: Split, folder: Path, report: Callable[[int], None]) -> None:
    """Decode one split into `images.npy`, `masks.npy` (if the task has masks) and `samples.json`.

    Outlines of another size than the images go into a file of their own too, see `originals`.

    Args:
        dataset: its `read`, `read_mask` and `read_outline` are called from several threads.
        name: the split; an empty one gives empty files.
        folder: exists and is empty.
        report: called with 1 after each image.

    Raises:
        InputError: an image or mask cannot be read, or does not match the task.
        OSError: a file cannot be written.
    """
    task, samples = dataset.task, dataset.split(name)
    count, classes, (height, width) = len(samples), len(task.classes), task.image_size
    dtype: np.dtype[Any] | None = None
    with ExitStack() as stack:
        images = stack.enter_context((folder / "images.npy").open("wb"))
        masks, originals = None, stack.enter_context(Writer(folder))
        if task.mask_kind != "none":
            masks = stack.enter_context((folder / "masks.npy").open("wb"))
            header(masks, np.dtype(np.uint8), (count, classes, height, width))
        found = decoded(lambda one: _read(dataset, one), samples)
        for row, (sample, (image, mask, original)) in enumerate(zip(samples, found, strict=True)):
            if dtype is None:
                dtype = image.dtype
                header(images, dtype, (count, height, width, task.channels))
            if image.dtype != dtype:
                raise InputError(f"image {sample.id}: {image.dtype}, while others of {name} are {dtype}")
            images.write(image.tobytes())
            if masks is not None:
                masks.write((np.zeros((classes, height, width), np.uint8) if mask is None else mask).tobytes())
            originals.add(row, original)
            report(1)
        if dtype is None:
            header(images, np.dtype(np.uint8), (0, height, width, task.channels))
        for file in filter(None, (images, masks)):
            file.flush()
            os.fsync(file.fileno())
    (folder / "samples.json").write_text(json.dumps([as_json(sample) for sample in samples]))


def read_image(dataset: Dataset, sample: Sample) -> Array:
    """Read one image, "h w c", uint8 or uint16, and check it against the task.

    Raises:
        InputError: it cannot be read, or has another size or depth.
    """
    try:
        image = dataset.read(sample)
    except OSError as error:
        raise InputError(f"image {sample.id}: cannot be read: {error}") from error
    return _checked_image(np.asarray(image), sample, dataset.task)


def read_outlines(dataset: Dataset, sample: Sample) -> npt.NDArray[np.uint8] | None:
    """Read the outlines of one image, "k h w" of 0 and 1; None if there are none.

    Raises:
        InputError: they cannot be read, or do not match the task.
    """
    if dataset.task.mask_kind == "none":
        return None
    try:
        mask = dataset.read_mask(sample)
    except OSError as error:
        raise InputError(f"mask of {sample.id}: cannot be read: {error}") from error
    return None if mask is None else _checked_mask(mask, sample, dataset.task)


def as_json(sample: Sample) -> dict[str, Any]:
    """Return the sample as JSON values: unknown labels are null, a `source` that JSON cannot hold is dropped."""
    values = {**asdict(sample), "labels": [None if math.isnan(label) else label for label in sample.labels]}
    try:
        json.dumps(values["source"])
    except (TypeError, ValueError):
        values["source"] = None
    return values


def decoded(read: Callable[[Sample], T], samples: Sequence[Sample]) -> Iterator[T]:
    """Yield `read` of each sample, in order, from several threads: decoders release the interpreter's lock."""
    workers = min(AT_ONCE, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(samples), AT_ONCE):
            yield from pool.map(read, samples[start : start + AT_ONCE])


def _read(dataset: Dataset, sample: Sample) -> Decoded:
    return read_image(dataset, sample), read_outlines(dataset, sample), read_original(dataset, sample)


def _checked_image(image: Array, sample: Sample, task: Task) -> Array:
    if image.ndim == 2:
        image = image[:, :, None]
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"image {sample.id}: uint8 or uint16 expected, but got {image.dtype}")
    if image.shape != (*task.image_size, task.channels):
        raise InputError(
            f"image {sample.id}: (height, width, channels) {(*task.image_size, task.channels)} expected, "
            f"but got {image.shape}"
        )
    return image


def _checked_mask(mask: npt.NDArray[np.uint8], sample: Sample, task: Task) -> npt.NDArray[np.uint8]:
    if mask.shape != (len(task.classes), *task.image_size) or mask.dtype != np.uint8:
        raise InputError(
            f"mask of {sample.id}: uint8 {(len(task.classes), *task.image_size)} expected, "
            f"but got {mask.dtype} {mask.shape}"
        )
    allowed = tuple(LAYERS) if task.mask_kind == "layers" else (0, 1)
    if strange := sorted(set(np.unique(mask).tolist()) - set(allowed)):
        expected = ", ".join(map(str, sorted(allowed)))
        raise InputError(f"mask of {sample.id}: values {expected} expected, but got {strange[-1]}")
    return mask


def mapped(path: Path) -> Array:
    """Open the array in an .npy file, read-only and without loading it."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    # An empty file cannot be mapped.
    return np.load(path, mmap_mode="r") if all(shape) else np.zeros(shape, dtype)


def header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Write the header of an .npy file of this type and shape."""
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
