"""Decoded images on disk, memory-mapped: each image is decoded once and shared by all trials.

Not a loader: it neither shuffles nor normalises. Masks are in a separate file, so that a stage that may
not see them never opens it. Free of torch.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args, runtime_checkable

import filelock
import numpy as np
import numpy.typing as npt

from harness.contract.dataset import Dataset
from harness.contract.errors import MachineError
from harness.contract.files import file_name
from harness.contract.types import Sample, Split
from harness.trial.data.bags import Bags, names, values_file, write_bags
from harness.trial.data.decode import mapped, write_split
from harness.trial.data.originals import NAME as ORIGINALS
from harness.trial.data.originals import Originals

SPLITS: tuple[Split, ...] = get_args(Split)
FORMAT = 1
Progress = Callable[[int, int], None]
Array = npt.NDArray[Any]


@runtime_checkable
class Pixels(Protocol):
    """Protocol of images by row: a mapped array, or an object that decodes them."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Return the images of these rows, "n h w c"."""

    def __iter__(self) -> Iterator[Any]:
        """Yield one image after the other, "h w c"."""


@dataclass(frozen=True)
class CachedSplit:
    """One split as training sees it: samples, images and labels in one order, without masks.

    Args:
        name: train, val, tune_loc or test.
        samples: of the images; `source` is None if JSON cannot hold it.
        images: "n h w c", uint8 or uint16; memory-mapped and read-only if it comes from a cache.
        labels: "n k" float32, NaN if unknown.
        bags: for samples that are not single images, the structure of `images`: all instances in sequence,
            images or vectors.
    """

    name: Split
    samples: tuple[Sample, ...]
    images: Pixels
    labels: npt.NDArray[np.float32]
    bags: Bags | None = None

    def __len__(self) -> int:
        return len(self.samples)


@dataclass(frozen=True)
class Cache:
    """The decoded splits of one data set, made by `Cache.ensure`.

    Args:
        folder: `<cache root>/<name of the digest>`, see `harness.contract.files.file_name`.
        dataset: used again only if the folder is damaged.
    """

    folder: Path
    dataset: Dataset

    @classmethod
    def at(cls, dataset: Dataset, root: Path) -> Cache:
        """Return the cache of `dataset` below `root`, complete or not."""
        return cls(root / file_name(dataset.digest), dataset)

    def samples(self) -> Mapping[Split, Sequence[Sample]] | None:
        """Return the samples of every split; None if the cache is not complete."""
        if not all(self._intact(name) for name in SPLITS):
            return None
        return {name: _read_samples(self.folder / name / "samples.json") for name in SPLITS}

    @classmethod
    def ensure(cls, dataset: Dataset, root: Path, progress: Progress | None = None) -> Cache:
        """Return the cache of `dataset` below `root`; decode what is missing or damaged.

        Safe to call from several processes at once: one prepares and decodes, the others wait.
        If the cache is complete, nothing is prepared or decoded and no mask is opened.

        Args:
            dataset: prepared by `prepare`, then read through `read` and `read_mask` only.
            root: folder of all caches.
            progress: called with (images decoded, number of images); not called for a complete cache.

        Raises:
            InputError: an image or mask cannot be read, or has the wrong size.
            MachineError: the disk is full or cannot be written.
        """
        cache = cls.at(dataset, root)
        missing = [name for name in SPLITS if not cache._intact(name)]
        if missing:
            cache._build(missing, progress)
        return cache

    def split(self, name: Split) -> CachedSplit:
        """Return one split; its images are mapped, not loaded."""
        samples = _read_samples(self.folder / name / "samples.json")
        labels = np.array([sample.labels for sample in samples], np.float32)
        labels = labels.reshape(len(samples), len(self.dataset.task.classes))
        task = self.dataset.task
        bags = None if task.sample == "image" else Bags.of(self.folder / name, task)
        images = mapped(self.folder / name / "images.npy") if bags is None else bags.values
        return CachedSplit(name, samples, images, labels, bags)

    def masks(self, name: Split) -> npt.NDArray[np.uint8] | None:
        """Return the outlines "n k h w", 0 or 1, mapped read-only; None if the data set has none.

        An empty outline may be unknown: see `known_masks`.
        """
        path = self.files(name)["masks"]
        if path is None:
            return None
        if not _same(path, _facts(path.parent).get("masks.npy", {}), deep=True):
            self._build([name], None)
        return mapped(path)

    def originals(self, name: Split) -> Originals | None:
        """Return the outlines at the size of their files; None where none has another size than the images."""
        path = self.folder / name / ORIGINALS
        return Originals(path) if path.exists() else None

    def files(self, name: Split) -> Mapping[str, Path | None]:
        """Return the files of `images` (or features) and `masks` of a split, for example to seal the latter."""
        folder = self.folder / name
        masked = self.dataset.task.mask_kind != "none"
        return {"images": folder / values_file(self.dataset.task), "masks": folder / "masks.npy" if masked else None}

    def _intact(self, name: Split, deep: bool = False) -> bool:
        """Return True if a split's folder is complete. Masks are opened only if `deep`; else their size is checked."""
        task, folder = self.dataset.task, self.folder / name
        needed, facts = {"images.npy", "samples.json"} if task.sample == "image" else names(task), _facts(folder)
        return needed <= set(facts) and all(
            _same(folder / file, found, deep or file not in ("masks.npy", ORIGINALS)) for file, found in facts.items()
        )

    def _build(self, splits: list[Split], progress: Progress | None) -> None:
        total = sum(len(self.dataset.split(name)) for name in splits)
        done, prepared = 0, False

        def report(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, total)

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in splits:
                with filelock.FileLock(self.folder / f"{name}.lock"):
                    if self._intact(name, deep=True):
                        report(len(self.dataset.split(name)))
                        continue
                    if not prepared:
                        self.dataset.prepare()
                        prepared = True
                    self._replace(name, report)
        except OSError as error:
            raise MachineError(f"{self.folder}: the image cache cannot be written: {error}") from error

    def _replace(self, name: Split, report: Callable[[int], None]) -> None:
        # The lock is held, so every temporary folder was left by a killed process.
        for stale in self.folder.glob(f"{name}.tmp-*"):
            shutil.rmtree(stale)
        target, temporary = self.folder / name, self.folder / f"{name}.tmp-{os.getpid()}"
        temporary.mkdir()
        try:
            write = write_split if self.dataset.task.sample == "image" else write_bags
            write(self.dataset, name, temporary, report)
            facts = {path.name: _describe(path) for path in sorted(temporary.iterdir())}
            (temporary / "done").write_text(json.dumps({"format": FORMAT, "files": facts}))
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(temporary)
            raise


def known_masks(labels: npt.NDArray[np.floating[Any]], masks: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return whether the outline of each (image, class) is known, "n k".

    It is unknown for a positive with an empty outline, which nobody drew, and for an unknown label. A
    negative with an empty outline is known to have no lesion.

    Args:
        labels: "n k", 1, 0 or NaN.
        masks: "n k h w", 0 or 1.
    """
    drawn = masks.any(axis=(2, 3))
    known: npt.NDArray[np.bool_] = ~np.isnan(labels) & ~((labels == 1) & ~drawn)
    return known


def _facts(folder: Path) -> Mapping[str, Any]:
    try:
        done = json.loads((folder / "done").read_text())
        return dict(done["files"]) if done["format"] == FORMAT else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _same(path: Path, facts: Mapping[str, Any], deep: bool) -> bool:
    try:
        return path.stat().st_size == facts.get("bytes") and (not deep or _probe(path) == facts.get("probe"))
    except OSError:
        return False


def _describe(path: Path) -> dict[str, int]:
    return {"bytes": path.stat().st_size, "probe": _probe(path)}


def _probe(path: Path, blocks: int = 32, size: int = 4096) -> int:
    """Return a checksum of evenly spaced blocks, first and last included: fast for files of any size."""
    last = max(0, path.stat().st_size - size)
    found = 0
    with path.open("rb") as file:
        for start in sorted({last * block // (blocks - 1) for block in range(blocks)}):
            file.seek(start)
            found = zlib.crc32(file.read(size), found)
    return found


def _read_samples(path: Path) -> tuple[Sample, ...]:
    return tuple(
        Sample(**{**item, "labels": tuple(float("nan") if label is None else label for label in item["labels"])})
        for item in json.loads(path.read_text())
    )
