"""`feature_bags`: bags of feature vectors that a CSV or Parquet table lists, a file a bag."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np

from harness import Dataset, InputError, Sample, Task
from harness_datasets.feature_bags.files import Vectors, read_vectors
from harness_datasets.manifest.assign import Deal, assign, check_multiclass, check_splits
from harness_datasets.manifest.entries import Columns, Entry, Mistakes
from harness_datasets.manifest.table.paths import Files, inside
from harness_datasets.manifest.table.patients import spelled_alike
from harness_datasets.manifest.table.read import read_entries

VERSION = 1


class FeatureBags(Dataset):
    """See `harness_datasets.feature_bags.component.build_feature_bags` for the parameters.

    The table is checked at once; files are hashed when the digest is asked for, and read by `read` and by `prepare`,
    which finds all that are damaged.
    """

    def __init__(
        self,
        root: Path,
        task: Task,
        path: str,
        columns: Columns,
        *,
        where: str,
        key: str,
        coords: str,
        deal: Deal,
        missing: Sequence[str] | None = None,
    ) -> None:
        self.task, self._root, self._key, self._coords = task, root, key, coords
        found = inside(root, root, path)
        if found is None:
            raise InputError(f"dataset feature_bags: path: {path!r} climbs out of the data root {root}")
        if coords and any(not name.strip() for name in coords.split(",")):
            raise InputError(f"dataset feature_bags: coords: 'name' or 'x,y' expected, but got {coords!r}")
        self.path = found
        mistakes = Mistakes(self.path)
        entries = read_entries(self.path, root, columns, where, mistakes, missing)
        if task.kind == "multiclass":
            check_multiclass(entries, mistakes)
        mistakes.raise_if_any()
        self._entries = assign(entries, columns.split, deal, mistakes)
        check_splits(self._entries, task.classes, columns, mistakes)
        files = Files(root)
        for entry in self._entries:
            if not entry.image.is_file():
                mistakes.add(files.absence(entry.image), entry.row)
        mistakes.raise_if_any()
        self._remarks = (*mistakes.notes, *spelled_alike(self._entries, columns.group))
        self._by_id = {entry.id: entry for entry in self._entries}

    @cached_property
    def digest(self) -> str:
        """Of task, rows, splits and the content of every file."""
        with ThreadPoolExecutor(4) as pool:
            files = list(pool.map(lambda entry: _hash(entry.image), self._entries))
        rows = [
            [entry.id, entry.group, entry.unit, [None if math.isnan(x) else x for x in entry.labels], entry.split, file]
            for entry, file in zip(self._entries, files, strict=True)
        ]
        head = [VERSION, self.task.kind, self.task.classes, self.task.features, self._key, self._coords]
        return hashlib.sha256(json.dumps([head, rows]).encode()).hexdigest()

    def split(self, name: str) -> Sequence[Sample]:
        """Return the rows of one split, in the order of the table."""
        return tuple(
            Sample(id=entry.id, group=entry.group, unit=entry.unit, labels=entry.labels, source={"row": entry.row})
            for entry in self._entries
            if entry.split == name
        )

    def read(self, sample: Sample) -> np.ndarray:
        """Return the vectors of one bag, float32 "n d"."""
        return self._read(self._by_id[sample.id]).features

    def read_coords(self, sample: Sample) -> np.ndarray | None:
        """Return the vectors' coordinates, float32 "n 2", if they were asked for."""
        return self._read(self._by_id[sample.id]).coords if self._coords else None

    def notes(self) -> Sequence[str]:
        """Return what the author of the table may not expect of how its cells are read."""
        return self._remarks

    def label_files(self) -> Iterable[Path]:
        """Return the table."""
        return (self.path,)

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return the table's further columns, and the folder and type of the file."""
        entry = self._by_id[sample.id]
        folder = str(entry.image.parent.relative_to(self._root))
        return {**entry.metadata, "file folder": folder, "file type": entry.image.suffix.lower()}

    def prepare(self) -> None:
        """Read every file once and keep nothing; report all damaged ones in one error."""

        def attempt(entry: Entry) -> str:
            try:
                self._read(entry)
            except InputError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(4) as pool:
            mistakes = Mistakes(self.path, [message for message in pool.map(attempt, self._entries) if message])
        mistakes.raise_if_any()

    def _read(self, entry: Entry) -> Vectors:
        try:
            found = read_vectors(entry.image.read_bytes(), entry.image.suffix, self._key, self._coords)
            if found.features.shape[1] != self.task.features:
                raise ValueError(f"vectors of {self.task.features} expected, but got {found.features.shape}")
            if found.coords is not None and found.coords.shape != (len(found.features), 2):
                raise ValueError(f"{len(found.features)} vectors, but coordinates {found.coords.shape}")
        except Exception as error:  # readers raise whatever they like on a damaged file
            message = f"{self._name(entry)} cannot be read: {error or type(error).__name__}"
            raise InputError(f"{self.path}: row {entry.row}: {message}") from error
        return found

    def _name(self, entry: Entry) -> str:
        return str(entry.image.relative_to(self._root))


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
