"""The data set of the laws that run whole trials: two versions of it differ in nothing that a model may read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from harness.contract.dataset import Dataset
from harness.contract.types import Sample, Split, Task
from harness.testing.bag_batches import bag_batch

COUNTS: dict[str, int] = {"train": 8, "val": 4, "test": 4}
NAME = "data_of_the_laws"


class LawData(Dataset):
    """Noise with a mark for each class, single images with masks of the marks in files.

    Args:
        root: folder of the mask files.
        task: kind of sample, classes and size.
        swapped: True inverts masks and gives each test sample the labels of the one before.
        keeps: splits whose masks stay as they are.

    The digest is the same for both versions, because keys of ids follow from it.
    """

    def __init__(self, root: Path, task: Task, *, swapped: bool = False, keeps: Sequence[str] = ()) -> None:
        self.task = replace(task, mask_kind="outline") if task.sample == "image" else task
        self._root, self._swapped, self._keeps = root / "masks", swapped, tuple(keeps)

    @property
    def digest(self) -> str:
        """The digest of the task."""
        return f"{NAME} 1 {self.task.sample} {self.task.image_size} {self.task.classes}".replace("'", "")

    def split(self, name: Split) -> Sequence[Sample]:
        """Return samples of one patient each, whose labels take turns."""
        count = COUNTS.get(name, 0)
        shift = 1 if self._swapped and name == "test" else 0
        return tuple(
            Sample(id=f"{name}{n}", group=f"{name}{n}", unit=f"{name}{n}", labels=self._labels((n + shift) % count))
            for n in range(count)
        )

    def read(self, sample: Sample) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32] | list[npt.NDArray[np.uint8]]:
        """Return noise with the marks of the sample's own labels, whichever it states."""
        number = _number(sample)
        if self.task.sample == "image":
            return self._image(sample, self._mask(number))
        batch = bag_batch(self.task, torch.tensor([self._labels(number)]))
        if self.task.sample == "features":
            assert batch.features is not None
            return np.asarray(batch.features[0].numpy() + self._random(sample).normal(0, 0.1, (1, 1)), np.float32)
        assert batch.images is not None
        noise = self._random(sample).normal(0, 10, batch.images[0, :, 0].shape)
        images = (128 + 30 * batch.images[0, :, 0].numpy() + noise).clip(0, 255).astype(np.uint8)
        return list(images) if self.task.sample == "views" else images

    def prepare(self) -> None:
        """Write the mask files."""
        for name in COUNTS if self.task.mask_kind != "none" else ():
            for sample in self.split(name):  # type: ignore[arg-type]
                path = self._path(sample)
                path.parent.mkdir(parents=True, exist_ok=True)
                mask = self._mask(_number(sample))
                np.save(path, 1 - mask if self._swapped and name not in self._keeps else mask)

    def read_mask(self, sample: Sample) -> npt.NDArray[np.uint8] | None:
        """Return the mask of its file, empty where the label is 0."""
        if self.task.mask_kind == "none":
            return None
        return np.asarray(np.load(self._path(sample)) * np.array(sample.labels, np.uint8)[:, None, None])

    def mask_files(self) -> Iterable[Path]:
        """Return the files that `prepare` writes."""
        if self.task.mask_kind == "none":
            return ()
        return [self._path(sample) for name in COUNTS for sample in self.split(name)]  # type: ignore[arg-type]

    def _labels(self, number: int) -> tuple[float, ...]:
        return tuple(float((number + 1) // 2**k % 2) for k in range(len(self.task.classes)))

    def _mask(self, number: int) -> npt.NDArray[np.uint8]:
        height, width = self.task.image_size
        masks = np.zeros((len(self.task.classes), height, width), np.uint8)
        side = height // 4
        for k, label in enumerate(self._labels(number)):
            top, left = side * (number % 3), side * (2 * k % 4)
            masks[k, top : top + side, left : left + side] = np.uint8(label)
        return masks

    def _image(self, sample: Sample, masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        signs = np.array([(-1.0) ** k for k in range(len(masks))])[:, None, None]
        image = self._random(sample).normal(128, 15, self.task.image_size) + (70 * signs * masks).sum(0)
        return np.asarray(image.clip(0, 255), np.uint8)

    def _random(self, sample: Sample) -> np.random.Generator:
        return np.random.default_rng(list(sample.id.encode()))

    def _path(self, sample: Sample) -> Path:
        return self._root / f"{sample.id}.npy"


def _number(sample: Sample) -> int:
    return int("".join(sign for sign in sample.id if sign.isdigit()))
