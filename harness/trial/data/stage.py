"""What each stage of a trial is handed: the fence between training, masks and the test split, as types.

While a model is fitted there is `FitData` and nothing else, in search and in confirm alike. Only
confirm, and only once the weights are frozen, makes a `ConfirmData`. What was opened is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.types import Split, Task
from harness.trial.data.cache import SPLITS, Cache, CachedSplit, known_masks
from harness.trial.data.fence import Seal


@dataclass(frozen=True)
class Outlines:
    """The masks of one split, and whether each of them is known.

    Args:
        masks: "n k h w", 0 or 1; as a rule a file that is mapped, of which a few are read at a time.
        known: "n k".
        order: whose mask belongs to which image, where that was shuffled.
    """

    masks: npt.NDArray[np.uint8]
    known: npt.NDArray[np.bool_]
    order: npt.NDArray[np.int64] | None = None

    def of(self, rows: Any) -> npt.NDArray[np.uint8]:
        """The masks of these images."""
        found: npt.NDArray[np.uint8] = self.masks[rows if self.order is None else self.order[rows]]
        return found

    def reordered(self, order: npt.NDArray[np.int64]) -> Outlines:
        """Those of other images, without reading them all, as a copy would."""
        return Outlines(self.masks, self.known[order], order if self.order is None else self.order[order])


@dataclass(frozen=True)
class Images:
    """One split as a loader reads it.

    Args:
        name: as the tables write it; `tune_loc` may be the validation images seen with their masks.
        split: images and labels.
        outlines: masks, where this stage may see them and the data have them.
    """

    name: Split
    split: CachedSplit
    outlines: Outlines | None = None

    def __len__(self) -> int:
        return len(self.split)

    def shuffled(self, seed: int) -> Images:
        """The same images with each other's labels, and masks: how often a label occurs, and with which, stays."""
        order = np.random.default_rng(seed).permutation(len(self))
        outlines = self.outlines and self.outlines.reordered(order)
        return replace(self, split=replace(self.split, labels=self.split.labels[order]), outlines=outlines)


@dataclass
class Ledger:
    """What a trial opened and read, for `TrialResult.ledger`."""

    opened: list[Split] = field(default_factory=list)
    masks: dict[str, list[Split]] = field(default_factory=lambda: {"fit": [], "test": []})
    read: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, stage: str, data: Images) -> None:
        """Notes whose labels and masks a stage reads: `fit`, `select` (epoch and trial), `tune_loc` or `test`.

        Counted are images: all, those with any known label, and those where a lesion's mask is known.
        """
        labels, outlines = data.split.labels, data.outlines
        drawn = np.zeros(len(data), bool) if outlines is None else (outlines.known & (labels == 1)).any(1)
        labelled = ~np.isnan(labels).all(1)
        self.read[stage] = {"images": len(data), "labels": int(labelled.sum()), "masks": int(drawn.sum())}

    def as_table(self) -> dict[str, Any]:
        """`opened`: the splits; `masks`: those whose masks were read, to `fit` and to `test`; `read`: see `count`."""
        masks = {stage: list(splits) for stage, splits in self.masks.items()}
        return {"opened": list(self.opened), "masks": masks, "read": {key: dict(n) for key, n in self.read.items()}}


@dataclass(frozen=True)
class FitData:
    """All that fitting sees. Training images carry masks if the model declares "train_masks", validation never."""

    task: Task
    train: Images
    val: Images

    @classmethod
    def of(cls, cache: Cache, needs: Iterable[str], ledger: Ledger) -> FitData:
        """Opens train and val, and the training masks where the model needs them."""
        outlines = None
        if "train_masks" in set(needs):
            outlines = _outlines(cache, "train")
            ledger.masks["fit"] = ["train"]
        ledger.opened += ["train", "val"]
        train, val = Images("train", cache.split("train"), outlines), Images("val", cache.split("val"))
        ledger.count("fit", train)
        ledger.count("select", val)
        return cls(cache.dataset.task, train, val)


@dataclass(frozen=True)
class ConfirmData:
    """What a model with frozen weights is measured on: masks of tune_loc and test, and test itself.

    Args:
        tune_loc: the validation images with their masks, where the data name no such split; None
            where the data have no masks.
    """

    task: Task
    test: Images
    tune_loc: Images | None

    @classmethod
    def of(cls, cache: Cache, ledger: Ledger) -> ConfirmData:
        """Opens the test split: this is what the ledger counts."""
        ledger.opened.append("test")
        test = Images("test", cache.split("test"), _outlines(cache, "test"))
        ledger.count("test", test)
        name: Split = "tune_loc" if len(cache.split("tune_loc")) else "val"
        tune_loc = Images("tune_loc", cache.split(name), _outlines(cache, name))
        if test.outlines is None:
            return cls(cache.dataset.task, test, None)
        ledger.opened += ["tune_loc"] if name == "tune_loc" else []
        ledger.masks["test"] = [name, "test"]
        ledger.count("tune_loc", tune_loc)
        return cls(cache.dataset.task, test, tune_loc)


def seal_of(cache: Cache, dataset: Dataset) -> Seal:
    """Seals what fitting may not open: every mask file, the cached masks and the cached test split."""
    masks = [path for name in SPLITS if (path := cache.files(name)["masks"]) is not None]
    test = cache.files("test")["images"]
    assert test is not None
    return Seal.of([*dataset.mask_files(), *masks, test.parent])


def _outlines(cache: Cache, name: Split) -> Outlines | None:
    masks = cache.masks(name)
    return None if masks is None else Outlines(masks, known_masks(cache.split(name).labels, masks))
