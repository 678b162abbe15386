"""The images and masks of `stripes`. Needs NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from harness import Dataset, Sample, Task


class Stripes(Dataset):
    """Noise images; the positives have a bright stripe. Every image is of its own patient."""

    def __init__(self, task: Task, root: Path, images: int) -> None:
        self.task, self._masks, self._images = task, root / "stripes", images

    @property
    def digest(self) -> str:
        """Return a text that changes with anything that changes an image, a label or a mask."""
        return f"stripes, version 1, {self._images} images of {self.task.image_size[0]} px"

    def split(self, name: str) -> Sequence[Sample]:
        """Return the samples of "train", "val" or "test"; "tune_loc" is left to harness."""
        if name == "tune_loc":
            return ()
        ids = [f"{name}{index}" for index in range(self._images)]
        return tuple(Sample(id=i, group=i, unit=i, labels=(float(n % 2),)) for n, i in enumerate(ids))

    def prepare(self) -> None:
        """Write the masks of the training images; harness seals these files while a model is trained."""
        self._masks.mkdir(parents=True, exist_ok=True)
        for sample in self.split("train"):
            if not (path := self._masks / f"{sample.id}.npy").exists():
                np.save(path, self.read_mask(sample))

    def mask_files(self) -> Iterable[Path]:
        """Return the files that `prepare` writes."""
        return [self._masks / f"{sample.id}.npy" for sample in self.split("train")]

    def read(self, sample: Sample) -> np.ndarray:
        """Return the image, uint8 "h w"; the same for the same sample."""
        rng = np.random.default_rng(list(sample.id.encode()))
        image = rng.integers(0, 100, self.task.image_size).astype(np.uint8)
        return np.where(self.read_mask(sample)[0] > 0, np.uint8(220), image)

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Return the stripe, uint8 "k h w"."""
        mask = np.zeros((1, *self.task.image_size), np.uint8)
        if sample.labels[0]:
            mask[0, 8:12, 4:20] = 1
        return mask
