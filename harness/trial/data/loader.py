"""Batches from the memory-mapped cache: gathered, scaled, augmented and normalised one batch ahead.

A thread makes the next batch while the model processes the current one. The content of a batch depends on
the seed and the epoch only, never on the thread's timing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from harness.contract import seeds
from harness.contract.nn import Batch, Targets
from harness.contract.types import Task
from harness.trial.data.augment import augment
from harness.trial.data.bags import Bags
from harness.trial.data.stage import Images
from harness.trial.settings.training import COLLECTIONS, NO_COPIES, TrainSettings, uncollected


@dataclass
class Loader:
    """Loader of one split.

    Args:
        settings: batch size, normalisation and, for training, augmentation and balance.
        seed: of the trial; two variants at one seed see the same images in the same order.
        waited: seconds that the consumer has waited for batches so far.
    """

    data: Images
    task: Task
    settings: TrainSettings
    device: torch.device
    seed: int = 0
    waited: float = 0.0

    def training(self, epoch: int) -> Iterator[Batch]:
        """Yield one epoch in random order, with the study's augmentation and balance.

        Each image of a bag and each view is augmented independently, because they have no common frame. If the
        side matters (the views of both breasts), leave out "flip".

        A last batch of a single image is left out, because batch norm cannot estimate anything from it.
        """
        order = self._order(seeds.of("order", self.seed, epoch))
        chance = _chance(seeds.of("augment", self.seed, epoch))
        parts = _parts(order, self.settings.batch_size)
        if len(parts) > 1 and len(parts[-1]) == 1 < self.settings.batch_size:
            parts = parts[:-1]
        return self._ahead(parts, lambda rows: self._batch(rows, chance))

    def steps(self) -> int:
        """Return the number of batches of one epoch of `training`."""
        whole, rest = divmod(len(self.data), self.settings.batch_size)
        return whole + (rest > 1 or (rest == 1 and whole == 0))

    def evaluation(self, rows: Sequence[int] | None = None) -> Iterator[Batch]:
        """Yield every image once, unchanged, in the order of the split; or those of `rows` in their order."""
        order = np.arange(len(self.data)) if rows is None else np.asarray(rows, dtype=np.int64)
        return self._ahead(_parts(order, self.settings.batch_size), lambda part: self._batch(part))

    def copies(self, ids: Sequence[str]) -> Iterator[Batch]:
        """Yield `tta` batches of these images without masks, each image changed by `augment`.

        The changes of a copy depend on the image's id and the copy's number only.
        """
        if self.data.split.bags is not None:
            raise ValueError(NO_COPIES)
        rows = np.array([self.data.rows[key] for key in ids], dtype=np.int64)
        keys = [self.data.split.samples[row].id for row in rows]
        images = _scaled(self.data.split.images[rows], self.device)
        for number in range(self.settings.tta):
            chances = [_chance(seeds.of("tta", key, number)) for key in keys]
            pairs = zip(torch.split(images, 1), chances, strict=True)
            changed = torch.cat([augment(x, None, self.settings.augment, chance)[0] for x, chance in pairs])
            yield replace(self._labelled(rows, None), images=self._ready(changed))

    @cached_property
    def _weights(self) -> npt.NDArray[np.float32]:
        return label_weights(self.data.split.labels)

    def _order(self, seed: int) -> npt.NDArray[np.int64]:
        """Return the rows of one epoch: a permutation, or draws with replacement by the labels' mean weight."""
        generator = torch.Generator().manual_seed(seed)
        if self.settings.balance != "sampler":
            return torch.randperm(len(self.data), generator=generator).numpy()
        weights = torch.from_numpy(self._weights.mean(1)).clamp_min(1e-6)
        return torch.multinomial(weights, len(self.data), replacement=True, generator=generator).numpy()

    def _ahead(
        self, parts: Sequence[npt.NDArray[np.int64]], make: Callable[[npt.NDArray[np.int64]], Batch]
    ) -> Iterator[Batch]:
        with ThreadPoolExecutor(1, "loader") as pool:
            following = pool.submit(make, parts[0]) if parts else None
            for index in range(len(parts)):
                assert following is not None
                started = time.perf_counter()
                batch = following.result()
                self.waited += time.perf_counter() - started
                following = pool.submit(make, parts[index + 1]) if index + 1 < len(parts) else None
                yield batch

    def _batch(self, rows: npt.NDArray[np.int64], chance: torch.Generator | None = None) -> Batch:
        split, outlines = self.data.split, self.data.outlines
        if split.bags is not None:
            return self._bags(split.bags, rows, chance)
        images = _scaled(split.images[rows], self.device)
        masks = None if outlines is None else torch.from_numpy(outlines.of(rows)).to(self.device).float()
        if chance is not None and self.settings.augment:
            images, masks = augment(images, masks, self.settings.augment, chance)
        targets = None
        if outlines is not None and masks is not None:
            targets = Targets(masks=masks, known=torch.from_numpy(outlines.known[rows]).to(self.device))
        return replace(self._labelled(rows, chance), images=self._ready(images), targets=targets)

    def _ready(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return images in [0, 1] in the form of the model's input."""
        layout = torch.channels_last if self.settings.channels_last else torch.contiguous_format
        return normalised(images, self.settings.normalise).contiguous(memory_format=layout)

    def _bags(self, bags: Bags, rows: npt.NDArray[np.int64], chance: torch.Generator | None) -> Batch:
        """Return a batch of samples with several instances; images are augmented independently, vectors are not."""
        found = bags.gather(rows)
        longest = len(self.task.views) or int(found.slots.max()) + 1

        def padded(values: Tensor) -> Tensor:
            whole = values.new_zeros(len(rows), longest, *values.shape[1:])
            whole[torch.from_numpy(found.owners), torch.from_numpy(found.slots)] = values
            return whole

        batch = replace(
            self._labelled(rows, chance),
            mask=padded(torch.ones(len(found.owners), dtype=torch.bool)).to(self.device),
            coords=None if found.coords is None else padded(torch.from_numpy(found.coords)).to(self.device),
        )
        if self.task.sample == "features":
            return replace(batch, features=padded(torch.from_numpy(found.values)).to(self.device))
        images = _scaled(found.values, self.device)
        if chance is not None and self.settings.augment:
            images, _ = augment(images, None, self.settings.augment, chance)
        return replace(batch, images=padded(normalised(images, self.settings.normalise)))

    def _labelled(self, rows: npt.NDArray[np.int64], chance: torch.Generator | None) -> Batch:
        """Return a batch of labels, weights and names only."""
        split, weights = self.data.split, None
        if chance is not None and self.settings.balance == "weights":
            weights = torch.from_numpy(self._weights[rows]).to(self.device)
        return Batch(
            labels=torch.from_numpy(split.labels[rows]).to(self.device),
            weights=weights,
            ids=tuple(self.data.names[row] for row in rows),
            groups=tuple(self.data.groups[row] for row in rows),
        )


def normalised(images: Float[Tensor, "b c h w"], how: str) -> Float[Tensor, "b c h w"]:
    """Normalise images in [0, 1] by `TrainSettings.normalise`.

    Raises:
        ValueError: the collection has no images of this number of channels.
    """
    if how == "unit":
        return images
    if how in COLLECTIONS:
        channels = images.shape[1]
        if wrong := uncollected(how, channels):
            raise ValueError(wrong)
        mean, deviation = (torch.tensor(v, device=images.device)[:, None, None] for v in COLLECTIONS[how][channels])
        return (images - mean) / deviation
    deviation, mean = torch.std_mean(images, dim=(1, 2, 3), correction=0, keepdim=True)
    return (images - mean) / deviation.clamp_min(1e-5)


def black(images: Float[Tensor, "b c h w"], how: str) -> Float[Tensor, "b c 1 1"]:
    """Return the normalised value of a black pixel of each image; `images` are in [0, 1], not normalised."""
    if how == "image":
        deviation, mean = torch.std_mean(images, dim=(1, 2, 3), correction=0, keepdim=True)
        return (-mean / deviation.clamp_min(1e-5)).expand(-1, images.shape[1], -1, -1)
    return normalised(torch.zeros_like(images[:, :, :1, :1]), how)


def label_weights(labels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a weight for each label that gives positives and negatives of a class the same total.

    The weights of a class's known labels have mean 1; an unknown label has weight 0.

    Args:
        labels: "n k", 1, 0 or NaN.
    """
    weights = np.zeros_like(labels)
    known = np.maximum((~np.isnan(labels)).sum(0), 1)
    present = sum(((labels == value).any(0) for value in (0, 1)), np.zeros(labels.shape[1], int))
    for value in (0, 1):
        count = np.maximum((labels == value).sum(0), 1)
        weights += (labels == value) * (known / (np.maximum(present, 1) * count)).astype(np.float32)
    return weights


def _chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _parts(rows: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _scaled(pixels: npt.NDArray[Any], device: torch.device) -> Float[Tensor, "b c h w"]:
    """Return pixels "b h w c" of 8 or 16 bit as floats in [0, 1], "b c h w"."""
    highest = float(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(highest).contiguous()
