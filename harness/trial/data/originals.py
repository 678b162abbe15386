"""Outlines at the size of their files, in addition to those at the size of the images.

Pointing and FROC ask whether a point lies in a lesion: its own outline answers that, whatever size images have.
Free of torch.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.errors import InputError
from harness.contract.masks import REGIONS
from harness.contract.types import Sample

NAME = "outlines.npz"
Masks = npt.NDArray[np.bool_]


class Writer:
    """Writes the outlines of one split; a context manager. Without outlines there is no file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._archive: zipfile.ZipFile | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()

    def add(self, row: int, outline: Masks | None) -> None:
        """Add the outlines of the sample at `row`, "k h w"; None is left out."""
        if outline is not None:
            self._entry(f"{row}", np.packbits(outline, axis=2))
            self._entry(f"{row}-width", np.array(outline.shape[2]))

    def _entry(self, name: str, values: npt.NDArray[Any]) -> None:
        if self._archive is None:
            self._archive = zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        entry = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date: equal outlines give equal files
        entry.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(entry, "w") as file:
            np.lib.format.write_array(file, values)


@dataclass(frozen=True)
class Originals:
    """The outlines of one split, read one sample at a time.

    Args:
        path: the archive.
    """

    path: Path

    def of(self, row: int) -> Masks | None:
        """Return the outlines "k h w" of the sample at `row`; None if it has none at a size of their own."""
        if f"{row}" not in self._names:
            return None
        width = int(self._archive[f"{row}-width"])
        return cast(Masks, np.unpackbits(self._archive[f"{row}"], axis=2, count=width).astype(bool))

    @cached_property
    def _archive(self) -> Any:
        return np.load(self.path)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._archive.files)


def read_original(dataset: Dataset, sample: Sample) -> Masks | None:
    """Return the outlines of one sample at the size of their file; None if that is the size of its image.

    Raises:
        InputError: they do not match the task.
    """
    found = dataset.read_outline(sample) if dataset.task.mask_kind in REGIONS else None
    if found is None or found.shape[1:] == dataset.task.image_size or not found.any():
        return None
    if found.ndim != 3 or len(found) != len(dataset.task.classes):
        raise InputError(
            f"outline of {sample.id}: {len(dataset.task.classes)} classes of height and width expected, "
            f"but got {found.shape}"
        )
    return np.asarray(found, bool)
