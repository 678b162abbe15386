"""`manifest`: any set of images, bags of images or exams that a CSV or Parquet table lists, an image a row."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from harness import Dataset, InputError, Sample, Task
from harness_datasets.manifest.assign import Deal, assign, check_multiclass, check_splits
from harness_datasets.manifest.entries import Columns, Entry, Mistakes
from harness_datasets.manifest.files import FileFacts, describe_files, memory_for
from harness_datasets.manifest.images.facts import misfit
from harness_datasets.manifest.images.masks import bring_layers_to, bring_mask_to
from harness_datasets.manifest.images.sizes import Fit, bring_to, padded, padded_size
from harness_datasets.manifest.notes import notes
from harness_datasets.manifest.reading import Reader, Reading, name_in
from harness_datasets.manifest.samples import Whole, assemble, in_common
from harness_datasets.manifest.table.paths import Files, inside
from harness_datasets.manifest.table.patients import spelled_alike
from harness_datasets.manifest.table.read import read_entries

VERSION = 2
"""Of the reading of files and masks; the digest changes with it."""
PEEKED = 6
"""Masks of each class that `notes` reads."""


class Manifest(Dataset):
    """See `harness_datasets.manifest.component.build_manifest` for the parameters.

    The table is read and checked at once. Files are hashed and their headers read when the digest
    or a split is asked for, and decoded by `read` and by `prepare`, which finds all that are damaged.
    """

    def __init__(
        self,
        root: Path,
        task: Task,
        *,
        path: str,
        columns: Columns,
        where: str,
        deal: Deal,
        fit: Fit,
        reading: Reading,
        missing: Sequence[str] | None = None,
        unseen: bool = False,
        bits: int = 0,
    ) -> None:
        self.task, self._root, self._fit, self._asked_bits, self._reading = task, root, fit, bits, reading
        found = inside(root, root, path)
        if found is None:
            raise InputError(f"dataset manifest: path: {path!r} climbs out of the data root {root}")
        self.path = found
        mistakes = Mistakes(self.path)
        entries = read_entries(self.path, root, columns, where, mistakes, missing, lenient=unseen)
        files = Files(root)
        for entry in entries:
            self._check_exists(entry, files, mistakes)
        if task.sample != "image":
            mistakes.raise_if_any()  # what unreadable rows belong to is unknown
        wholes = assemble(entries, task.sample, columns, mistakes)
        if task.kind == "multiclass":
            check_multiclass([whole.entry for whole in wholes], mistakes)
        if task.sample != "image" or deal.folds or not any(entry.split for entry in entries):
            mistakes.raise_if_any()  # a deal balances labels, and rows of one sample share them: all must be known
        self._wholes = _dealt(wholes, columns, deal, task.classes, unseen, mistakes)
        mistakes.raise_if_any()
        spelled = () if unseen else spelled_alike([whole.entry for whole in self._wholes], columns.group)
        self._remarks = (*mistakes.notes, *spelled)
        self._entries, self._reader = entries, Reader(self.path, root, task, reading)
        self._by_id = {whole.entry.id: whole for whole in self._wholes}

    @cached_property
    def digest(self) -> str:
        """Of task, rows, splits and the content of every file; quick where no file changed since."""
        rows = [
            [entry.id, entry.group, entry.unit, [None if math.isnan(x) else x for x in entry.labels], entry.split]
            + [self._facts[path].digest if path else "" for path in whole.files]
            for whole in self._wholes
            for entry in (whole.entry,)
        ]
        head: list[object] = [VERSION, self.task.kind, self.task.classes, self.task.channels, self.task.image_size]
        head += [] if self.task.sample == "image" else [self.task.sample]
        head += [f"{self._asked_bits} bits"] if self._asked_bits else []
        prepared = self._reading.identity()
        if self._reading.mammogram:  # digests of tables without that column stay as they are
            shown = [image for whole in self._wholes for image in whole.images if image is not None]
            prepared += [[image.side, image.view, *(["flipped"] if image.flipped else [])] for image in shown]
        text = json.dumps([head, self.task.mask_kind, self._fit, rows, *prepared])
        return hashlib.sha256(text.encode()).hexdigest()

    def split(self, name: str) -> Sequence[Sample]:
        """Return the samples of one split, in the order of the table."""
        return tuple(
            Sample(id=entry.id, group=entry.group, unit=entry.unit, labels=entry.labels, source=self._source(whole))
            for whole in self._wholes
            for entry in (whole.entry,)
            if entry.split == name
        )

    def read(self, sample: Sample) -> np.ndarray | list[np.ndarray | None]:
        """Return the sample's images at the task's size; in 16 bits if asked for, or if any image has them."""
        images = self._by_id[sample.id].images
        if self.task.sample == "views":
            return [self._read(image) if image else None for image in images]
        found = [self._read(image) for image in images if image]
        return np.stack(found) if self.task.sample == "bag" else found[0]

    def read_mask(self, sample: Sample) -> np.ndarray | None:
        """Return outlines or layers; empty where the table names no file, None where the set has no masks."""
        if self.task.mask_kind == "none":
            return None
        bring = bring_layers_to if self.task.mask_kind == "layers" else bring_mask_to
        masks = np.zeros((len(self.task.classes), *self.task.image_size), np.uint8)
        for number, mask in self._masks(sample):
            masks[number] = bring(mask, self.task.image_size, self._fit)
        return masks

    def read_outline(self, sample: Sample) -> np.ndarray | None:
        """Return outlines at the size of their file or window, padded as the image is; None for layers."""
        if self.task.mask_kind in ("none", "layers"):
            return None
        found = list(self._masks(sample))
        if not found:
            return None
        shape = padded_size(found[0][1].shape, self.task.image_size, self._fit)
        masks = np.zeros((len(self.task.classes), *shape), bool)
        for number, mask in found:
            masks[number] = padded(mask, shape)
        return masks

    def mask_files(self) -> Iterable[Path]:
        """Return every mask file that the table names."""
        return tuple(path for entry in self._entries for path in entry.files[1:])

    def notes(self) -> Sequence[str]:
        """Return what the author of the table may not expect of how its cells and images are read.

        Raises:
            InputError: one of a few masks, PEEKED of each class, is not of the kind that is expected.
        """
        self._peek()
        images = [self._facts[entry.image].header for entry in self._entries]
        return (*self._remarks, *notes(images, self.task, self._bits))

    def label_files(self) -> Iterable[Path]:
        """Return the table."""
        return (self.path,)

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return the table's further columns, and folder, type, size and depth of the image's file.

        Of several images their mean or what all share, of a breast those of its own; and how many there are.
        """
        whole = self._by_id[sample.id]
        known = in_common([self._known(entry) for entry in whole.rows])
        several = {"file count": float(sum(image is not None for image in whole.images))}
        return known if self.task.sample == "image" else {**known, **several}

    def prepare(self) -> None:
        """Decode every file once and keep nothing; report all damaged ones in one error."""
        reader, bits = self._reader, self._bits  # headers first: they name more mistakes for less
        reads: list[Callable[[], object]] = [partial(reader.image, entry, bits) for entry in self._entries]
        for entry in self._entries:
            reads += [partial(reader.stored_mask, entry, number) for number, own in enumerate(entry.masks) if own]

        def attempt(read: Callable[[], object]) -> str:
            try:
                read()
            except InputError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(4) as pool:
            mistakes = Mistakes(self.path, [message for message in pool.map(attempt, reads) if message])
        reader.check_values(mistakes)
        mistakes.raise_if_any()

    def _peek(self) -> None:
        """Read a few masks of each class, so that a label map is refused before training decodes everything."""
        mistakes = Mistakes(self.path)
        for number in range(len(self.task.classes)) if self.task.mask_kind not in ("none", "layers") else ():
            drawn = [entry for entry in self._entries if entry.masks[number]]
            for place in np.linspace(0, len(drawn) - 1, min(PEEKED, len(drawn))).round().astype(int):
                try:
                    self._reader.stored_mask(drawn[place], number)
                except InputError as error:
                    mistakes.found.append(str(error))
        self._reader.check_values(mistakes)
        mistakes.raise_if_any()

    @cached_property
    def _facts(self) -> Mapping[Path, FileFacts]:
        """Digest, size and depth of each file.

        Raises:
            InputError: a header cannot be read, or a mask is not of its image's size.
        """
        paths = [path for entry in self._entries for path in entry.files]
        facts, mistakes = describe_files(paths, memory_for(self.path)), Mistakes(self.path)
        for entry in self._entries:
            image = facts.get(entry.image)
            for path in entry.files:
                fact = facts.get(path)
                if fact is None or fact.error:
                    mistakes.add(self._unreadable(path, fact.error if fact else "it is gone"), entry.row)
                elif image and not image.error and path != entry.image:
                    if reason := misfit(fact.header, image.header):
                        mistakes.add(f"mask {name_in(self._root, path)} {reason}", entry.row)
        mistakes.raise_if_any()
        return facts

    @cached_property
    def _bits(self) -> int:
        return self._asked_bits or max(self._facts[entry.image].header.bits for entry in self._entries)

    def _source(self, whole: Whole) -> Mapping[str, object]:
        if self.task.sample != "image":
            return {"rows": [image.row if image else None for image in whole.images]}
        facts = self._facts[whole.entry.image]
        return {"row": whole.entry.row, "size": list(facts.size)}

    def _read(self, entry: Entry) -> np.ndarray:
        return bring_to(self._reader.image(entry, self._bits), self.task.image_size, self.task.channels, self._fit)

    def _known(self, entry: Entry) -> dict[str, str | float]:
        facts = self._facts[entry.image].header
        return {
            **entry.metadata,
            "file folder": str(entry.image.parent.relative_to(self._root)),
            "file type": entry.image.suffix.lower(),
            "file height": float(facts.height),
            "file width": float(facts.width),
            "file bits": float(facts.bits),
        }

    def _masks(self, sample: Sample) -> Iterator[tuple[int, np.ndarray]]:
        """Yield number and mask of each class that has one, at the size of the file, or of its window."""
        (entry,) = self._by_id[sample.id].rows  # only single images have masks
        for number, paths in enumerate(entry.masks):
            if paths:
                yield number, self._reader.mask(entry, number, self._bits)

    def _check_exists(self, entry: Entry, files: Files, mistakes: Mistakes) -> None:
        for path in entry.files:  # the root is the placeholder of an invalid path
            if path == self._root:
                continue
            try:
                if not path.is_file():
                    several = path != entry.image and " " in path.name
                    hint = "; several masks of an image have ; between their paths" if several else ""
                    mistakes.add(f"{files.absence(path)}{hint}", entry.row)
            except OSError as error:  # a folder that may not be entered, a name that is too long
                mistakes.add(self._unreadable(path, error.strerror or str(error)), entry.row)

    def _unreadable(self, path: Path, reason: str) -> str:
        return f"{name_in(self._root, path)} cannot be read: {reason}"


def _dealt(
    wholes: Sequence[Whole], columns: Columns, deal: Deal, classes: Sequence[str], unseen: bool, mistakes: Mistakes
) -> list[Whole]:
    """Return the samples with their split; unseen samples are all in the test split."""
    entries = [whole.entry for whole in wholes]
    if unseen:
        found = [replace(entry, split="test") for entry in entries]
    else:
        found = assign(entries, columns.split, deal, mistakes)
        check_splits(found, classes, columns, mistakes)
    return [replace(whole, entry=entry) for whole, entry in zip(wholes, found, strict=True)]
