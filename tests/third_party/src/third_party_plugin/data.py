"""Noise images of one class; the positives have a bright stripe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from harness import Dataset, Sample, Task


class Stripes(Dataset):
    """Forty images in each split, half of them positive; every image is its own patient."""

    def __init__(self, task: Task, root: Path) -> None:
        self.task, self._masks = task, root / "stripes"

    @property
    def digest(self) -> str:
        return f"stripes, version 1, {self.task.image_size[0]} px"

    def split(self, name: str) -> Sequence[Sample]:
        if name == "tune_loc":
            return ()
        ids = [f"{name}{index}" for index in range(40)]
        return tuple(Sample(id=i, group=i, unit=i, labels=(float(n % 2),)) for n, i in enumerate(ids))

    def prepare(self) -> None:
        self._masks.mkdir(parents=True, exist_ok=True)
        for sample in self.split("train"):
            if not (path := self._masks / f"{sample.id}.npy").exists():
                np.save(path, self.read_mask(sample))

    def mask_files(self) -> Iterable[Path]:
        return [self._masks / f"{sample.id}.npy" for sample in self.split("train")]

    def read(self, sample: Sample) -> np.ndarray:
        rng = np.random.default_rng(sum(sample.id.encode()))
        image = rng.integers(0, 100, self.task.image_size).astype(np.uint8)
        return np.where(self.read_mask(sample)[0] > 0, np.uint8(220), image)

    def read_mask(self, sample: Sample) -> np.ndarray:
        mask = np.zeros((1, *self.task.image_size), np.uint8)
        if sample.labels[0]:
            mask[0, 8:12, 4:20] = 1
        return mask
