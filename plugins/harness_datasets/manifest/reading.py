"""Decoding of the files that rows name: images as they are stored or prepared, masks at the size of their file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from harness import InputError, Task
from harness_datasets.manifest.entries import Entry, Mistakes
from harness_datasets.manifest.images.dicom import Window as Shown
from harness_datasets.manifest.images.formats import decode
from harness_datasets.manifest.images.masks import Inside, read_layers, read_mask, union
from harness_datasets.manifest.mammograms.window import VERSION as PREPARATION
from harness_datasets.manifest.mammograms.window import Mammogram, Window, prepare

_SHOWN = 6


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Args:
        rules: which values of a mask are inside, one for each class.
        window: whether window and VOI table of DICOM are applied.
        mammogram: how mammograms are prepared; None if they are not.
        refuse_colour: refuse images with another number of channels than the task has.
    """

    rules: tuple[Inside, ...]
    window: Shown = "apply"
    mammogram: Mammogram | None = None
    refuse_colour: bool = False

    def identity(self) -> list[object]:
        """Return what of it changes pixels or masks, as JSON values; empty for the defaults."""
        found: list[object] = []
        if any(rule != Inside() for rule in self.rules):
            found.append([asdict(rule) for rule in self.rules])
        if self.window == "ignore":
            found.append("window ignored")
        if self.mammogram:
            found.append([PREPARATION, self.mammogram.window_px, self.mammogram.inverted])
        return found


class Reader:
    """Reads the files of rows; whatever goes wrong is an InputError that names the row."""

    def __init__(self, table: Path, root: Path, task: Task, reading: Reading) -> None:
        self._table, self._root, self._task, self._reading = table, root, task, reading
        self._windows: dict[str, Window] = {}
        self._values: dict[int, str] = {}  # the values inside of masks, each with a file that has it

    def image(self, entry: Entry, bits: int) -> np.ndarray:
        """Return the image of one row in 8 or 16 bits, "h w" or "h w 3"; of a mammogram its window."""
        window = self._reading.window
        image = self._attempt(entry, entry.image, lambda content, suffix: decode(content, suffix, window))
        if self._reading.refuse_colour and (found := _channels(image)) != self._task.channels:
            raise self._error(entry, entry.image, f"has {found} channels, {self._task.channels} expected")
        if bits == 16 and image.dtype == np.uint8:
            image = image.astype(np.uint16) * np.uint16(257)
        if bits == 8 and image.dtype == np.uint16:
            image = np.round(image / 257).astype(np.uint8)
        return self._window(entry, image) if self._reading.mammogram else image

    def mask(self, entry: Entry, number: int, bits: int) -> np.ndarray:
        """Return the mask of one class at the size of the image that `image` returns, "h w": bool, or its layers."""
        if self._reading.mammogram and entry.id not in self._windows:
            self.image(entry, bits)
        mask = self.stored_mask(entry, number)
        return self._windows[entry.id].take(mask) if self._reading.mammogram else mask

    def stored_mask(self, entry: Entry, number: int) -> np.ndarray:
        """Return the mask of one class at the size of its files, "h w": their union, or its layers."""
        paths, rule = entry.masks[number], self._reading.rules[number]
        if self._task.mask_kind == "layers":
            return np.asarray(np.maximum.reduce([self._attempt(entry, path, read_layers) for path in paths]))

        def read(path: Path) -> np.ndarray:
            def seen(value: int) -> None:
                self._values.setdefault(value, name_in(self._root, path))

            return self._attempt(entry, path, partial(read_mask, rule=rule, seen=seen))

        return union([read(path) for path in paths])

    def check_values(self, mistakes: Mistakes) -> None:
        """Add a mistake if the masks that were read so far hold different values: they are of a label map."""
        if len(self._values) > 1:
            listed = ", ".join(f"{value} in {name}" for value, name in sorted(self._values.items())[:_SHOWN])
            mistakes.add(
                f"masks hold several values ({listed}), and none is named: `mask_values` names that of each class of a "
                "label map; mask_threshold = 1 takes all values"
            )

    def _window(self, entry: Entry, image: np.ndarray) -> np.ndarray:
        mammogram = self._reading.mammogram
        assert mammogram is not None
        try:
            image = mammogram.positive(image)
            window, breast = mammogram.window(image, entry.side, entry.view, entry.flipped)
        except ValueError as error:
            raise self._error(entry, entry.image, str(error)) from error
        self._windows[entry.id] = window
        return prepare(image, window, breast)

    def _attempt(self, entry: Entry, path: Path, read: Callable[[bytes, str], np.ndarray]) -> np.ndarray:
        try:
            return read(path.read_bytes(), path.suffix)
        except Exception as error:  # decoders raise whatever they like on a damaged file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise self._error(entry, path, f"cannot be read: {reason}") from error

    def _error(self, entry: Entry, path: Path, reason: str) -> InputError:
        return InputError(f"{self._table}: row {entry.row}: {name_in(self._root, path)} {reason}")


def name_in(root: Path, path: Path) -> str:
    """Return the path of a file below the data root."""
    return str(path.relative_to(root))


def _channels(image: np.ndarray) -> int:
    """Return 1 for grey, even where it is stored as RGB; else 3."""
    return 1 if image.ndim == 2 or (image[..., :1] == image).all() else 3
