"""The data of each stage of a trial, as types that separate training, masks and the test split.

While a model is fitted, in search and in confirm, there is only `FitData`. Only confirm makes a
`ConfirmData`, after the weights are frozen. The ledger records what was opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.nn import Batch
from harness.contract.types import Sample, Split, Task
from harness.trial.data.cache import SPLITS, Cache, CachedSplit, known_masks
from harness.trial.data.fence import Seal
from harness.trial.data.originals import Originals
from harness.trial.seams.blind import digests


@dataclass(frozen=True)
class Outlines:
    """The masks of one split, with a flag for known masks.

    Args:
        masks: "n k h w", 0 or 1; usually a mapped file, of which a few are read at a time.
        known: "n k".
        order: index of the mask of each image, if they were shuffled.
        originals: outlines at the size of their files, where that is another size.
    """

    masks: npt.NDArray[np.uint8]
    known: npt.NDArray[np.bool_]
    order: npt.NDArray[np.int64] | None = None
    originals: Originals | None = None

    def original(self, row: int) -> npt.NDArray[np.bool_] | None:
        """Return the outlines "k h w" of one image at the size of their file; None if `of` has all there is."""
        place = row if self.order is None else int(self.order[row])
        return None if self.originals is None else self.originals.of(place)

    def of(self, rows: Any) -> npt.NDArray[np.uint8]:
        """Return the masks of these images."""
        found: npt.NDArray[np.uint8] = self.masks[rows if self.order is None else self.order[rows]]
        return found

    def reordered(self, order: npt.NDArray[np.int64]) -> Outlines:
        """Return the masks in another order, without reading them all, as a copy would."""
        return replace(self, known=self.known[order], order=order if self.order is None else self.order[order])


@dataclass(frozen=True)
class Images:
    """One split, the input of a loader.

    Args:
        name: in the tables; `tune_loc` may be the validation images with their masks.
        split: images and labels.
        outlines: masks, if this stage may see them and the data have them.
        key: of the names that components see in place of ids and groups (`seams.blind.digests`).
    """

    name: Split
    split: CachedSplit
    outlines: Outlines | None = None
    key: str = ""

    def __len__(self) -> int:
        return len(self.split)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The `Batch.ids` of all images."""
        return digests((sample.id for sample in self.split.samples), self.key)

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The `Batch.groups` of all images."""
        return digests((sample.group for sample in self.split.samples), self.key)

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    def samples(self, batch: Batch) -> list[Sample]:
        """Return the samples of a batch, with their own ids and groups."""
        return [self.split.samples[self.rows[name]] for name in batch.ids]

    def ids(self, batch: Batch) -> list[str]:
        """Return the ids of the samples of a batch."""
        return [sample.id for sample in self.samples(batch)]

    def shuffled(self, seed: int) -> Images:
        """Return the images with labels and masks permuted together, so that label frequencies stay."""
        order = np.random.default_rng(seed).permutation(len(self))
        outlines = self.outlines and self.outlines.reordered(order)
        return replace(self, split=replace(self.split, labels=self.split.labels[order]), outlines=outlines)


@dataclass
class Ledger:
    """Ledger of what a trial opened and read, for `TrialResult.ledger`."""

    opened: list[Split] = field(default_factory=list)
    masks: dict[str, list[Split]] = field(default_factory=lambda: {"fit": [], "test": []})
    read: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, stage: str, data: Images) -> None:
        """Count the images whose labels and masks a stage reads: `fit`, `select` (epoch and trial), `tune_loc`, `test`.

        Three numbers of images are kept: all, those with any known label, and those with a known mask of a lesion.
        """
        labels, outlines = data.split.labels, data.outlines
        drawn = np.zeros(len(data), bool) if outlines is None else (outlines.known & (labels == 1)).any(1)
        labelled = ~np.isnan(labels).all(1)
        self.read[stage] = {"images": len(data), "labels": int(labelled.sum()), "masks": int(drawn.sum())}

    def as_table(self) -> dict[str, Any]:
        """Return `opened` splits, splits whose `masks` were read to `fit` and to `test`, and `read` (see `count`)."""
        masks = {stage: list(splits) for stage, splits in self.masks.items()}
        return {"opened": list(self.opened), "masks": masks, "read": {key: dict(n) for key, n in self.read.items()}}


@dataclass(frozen=True)
class FitData:
    """All data of fitting. Training images have masks if the model needs "train_masks", validation images never."""

    task: Task
    train: Images
    val: Images

    @classmethod
    def of(cls, cache: Cache, needs: Iterable[str], ledger: Ledger) -> FitData:
        """Open train and val, and the training masks if the model needs them."""
        outlines = None
        if "train_masks" in set(needs):
            outlines = _outlines(cache, "train")
            ledger.masks["fit"] = ["train"]
        ledger.opened += ["train", "val"]
        key = cache.dataset.digest
        train, val = Images("train", cache.split("train"), outlines, key), Images("val", cache.split("val"), key=key)
        ledger.count("fit", train)
        ledger.count("select", val)
        return cls(cache.dataset.task, train, val)


@dataclass(frozen=True)
class ConfirmData:
    """The data on which a model with frozen weights is measured: the test split, and masks of tune_loc and test.

    Args:
        tune_loc: the validation images with their masks if the data have no such split; None if the
            data have no masks.
    """

    task: Task
    test: Images
    tune_loc: Images | None

    @classmethod
    def of(cls, cache: Cache, ledger: Ledger) -> ConfirmData:
        """Open the test split and record that in the ledger."""
        ledger.opened.append("test")
        key = cache.dataset.digest
        test = Images("test", cache.split("test"), _outlines(cache, "test"), key)
        ledger.count("test", test)
        name: Split = "tune_loc" if len(cache.split("tune_loc")) else "val"
        tune_loc = Images("tune_loc", cache.split(name), _outlines(cache, name), key)
        if test.outlines is None:
            return cls(cache.dataset.task, test, None)
        ledger.opened += ["tune_loc"] if name == "tune_loc" else []
        ledger.masks["test"] = [name, "test"]
        ledger.count("tune_loc", tune_loc)
        return cls(cache.dataset.task, test, tune_loc)


def seal_of(cache: Cache, dataset: Dataset) -> Seal:
    """Return the seal of files that fitting may not open: masks, manifests, cached masks and the cached test split."""
    masks = [path for name in SPLITS if (path := cache.files(name)["masks"]) is not None]
    masks += [found.path for name in SPLITS if (found := cache.originals(name)) is not None]
    test = cache.files("test")["images"]
    assert test is not None
    return Seal.of([*dataset.mask_files(), *dataset.label_files(), *masks, test.parent])


def _outlines(cache: Cache, name: Split) -> Outlines | None:
    masks, originals = cache.masks(name), cache.originals(name)
    if masks is None:
        return None
    return Outlines(masks, known_masks(cache.split(name).labels, masks), originals=originals)
