"""Reading of a manifest's table: every row is checked, and all mistakes are reported at once with row and column."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from harness import InputError, nearest
from harness_datasets.manifest.entries import Columns, Entry, Mistakes
from harness_datasets.manifest.images.foreign import annotation
from harness_datasets.manifest.mammograms.words import flipped_of, side_of, view_of
from harness_datasets.manifest.table.cells import number_of, text_of
from harness_datasets.manifest.table.clean import Rows, cleaned
from harness_datasets.manifest.table.paths import Files
from harness_datasets.manifest.table.rows import read_rows
from harness_datasets.manifest.table.where import parse_where

Known = TypeVar("Known")


def read_entries(
    path: Path,
    root: Path,
    columns: Columns,
    where: str,
    mistakes: Mistakes,
    missing: Sequence[str] | None = None,
    lenient: bool = False,
) -> list[Entry]:
    """Return the rows that `where` keeps, checked one by one and against each other.

    `missing` lists the texts that are missing values, see `cleaned`.

    Where `lenient`, any column but the image's may be missing, and a patient's cell empty: labels are then
    unknown, there are no masks, and each image is its own patient and unit.

    Raises:
        InputError: the table cannot be read, a column is missing, or `where` cannot be understood or keeps nothing.
    """
    names, rows = read_rows(path)
    for column in [columns.image] if lenient else _wanted(columns):
        if column not in names:
            mistakes.add(f"no column named {column!r}{_instead(column, columns, names)}")
    if lenient:
        columns = replace(
            columns,
            id=columns.id if columns.id in names else "",
            unit=columns.unit if columns.unit in names else "",
            side=columns.side if columns.side in names else "",
            view=columns.view if columns.view in names else "",
            flipped=columns.flipped if columns.flipped in names else "",
            masks=columns.masks and any(f"mask_{name}" in names for name in columns.labels),
        )
    if columns.masks and not any(f"mask_{name}" in names for name in columns.labels):
        mistakes.add(f"no column mask_<label> although mask_kind is set{nearest(f'mask_{columns.labels[0]}', names)}")
    mistakes.raise_if_any()
    if where:
        rows = list(_kept(path, names, rows, where, mistakes))
    reader = _Rows(root, path.parent, columns, columns.further(names), mistakes, lenient)
    numbers, texts = [number for number, _ in rows], cleaned(rows, columns, missing, mistakes)
    entries = [reader.entry(number, row) for number, row in zip(numbers, texts, strict=True)]
    _check_unique(entries, columns, mistakes)
    return entries


def _kept(path: Path, names: Sequence[str], rows: Rows, where: str, mistakes: Mistakes) -> Rows:
    """Return the rows that `where` keeps; constants that match no cell are noted."""
    try:
        keep = parse_where(where, names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    unmatched = list(keep.unmatched([row for _, row in rows]))
    mistakes.notes += unmatched
    kept = [(number, row) for number, row in rows if keep(row)]
    if not kept:
        raise InputError("\n".join(f"{path}: {line}" for line in [f"where = {where!r} keeps no row", *unmatched]))
    return kept


def _wanted(columns: Columns) -> Iterator[str]:
    yield from (columns.image, columns.group)
    yield from (f"label_{name}" for name in columns.labels)
    yield from (column for column in _optional(columns) if column)
    yield from columns.metadata or ()
    # The usual name may be absent, one that the study states may not.
    yield from (column for column in (columns.split,) if column not in ("", "split"))


def _instead(column: str, columns: Columns, names: Sequence[str]) -> str:
    """Return the nearest column name, or the parameter that may name another column with all columns."""
    by = {columns.image: "image", columns.group: "group", columns.id: "id", columns.unit: "unit", columns.side: "side"}
    by |= {columns.split: "split", columns.view: "view", columns.flipped: "flipped", columns.together: "bag` or `exam"}
    parameter = f"`{by[column]}`" if column in by else "`labels`" if column.startswith("label_") else "`metadata`"
    return nearest(column, names) or f": {parameter} names that column; the table has {', '.join(names)}"


def _optional(columns: Columns) -> tuple[str, ...]:
    """Return the columns that a study may name; those that it names must exist."""
    return columns.id, columns.unit, columns.side, columns.view, columns.flipped, columns.together


@dataclass(frozen=True)
class _Rows:
    """Turns rows of plain cells into entries; see `read_entries`."""

    root: Path
    folder: Path
    columns: Columns
    further: Sequence[str]
    mistakes: Mistakes
    lenient: bool

    @cached_property
    def _files(self) -> Files:
        return Files(self.root)

    def entry(self, number: int, row: Mapping[str, Any]) -> Entry:
        """Return one row."""
        columns, masked = self.columns, self.columns.masks
        image = self._image(row, number)
        group = row.get(columns.group, "") or (image if self.lenient else "")
        together = row[columns.together] if columns.together else ""
        for name, text in ((columns.image, image), (columns.group, group), (columns.together, together)):
            if name and not text:
                self.mistakes.add("is empty", number, name)
        identity = row[columns.id] if columns.id else image
        return Entry(
            row=number,
            id=identity,
            group=group,
            unit=row[columns.unit] if columns.unit else identity,
            labels=tuple(_label(row, f"label_{name}", number, self.mistakes) for name in columns.labels),
            image=self._path(columns.image, image, number) or self.root,
            masks=tuple(self._masks(row, f"mask_{name}", number) if masked else () for name in columns.labels),
            split=row.get(columns.split, "") if columns.split else "",
            metadata={column: _datum(row.get(column)) for column in self.further},
            side=self._known(row, columns.side, number, side_of, ""),
            view=self._known(row, columns.view, number, view_of, ""),
            flipped=self._known(row, columns.flipped, number, flipped_of, False),
            together=together,
        )

    def _image(self, row: Mapping[str, Any], number: int) -> str:
        cell = row[self.columns.image]
        if isinstance(cell, str):
            return cell
        kept = "a picture (bytes and path)" if isinstance(cell, dict) else type(cell).__name__
        message = f"the cell holds {kept}, and a path is expected: write each picture into a file of its own"
        self.mistakes.add(message, number, self.columns.image)
        return f"row {number}"

    def _path(self, column: str, value: str, number: int) -> Path | None:
        found = self._files.find(self.folder, value) if value else None
        if value and found is None:
            self.mistakes.add(f"{value!r} climbs out of the data root", number, column)
        return found

    def _masks(self, row: Mapping[str, Any], column: str, number: int) -> tuple[Path, ...]:
        files = self._files
        cells = mask_cells(
            row.get(column), lambda text: bool((path := files.find(self.folder, text)) and path.exists())
        )
        if cells and (name := annotation(cells[0])):
            self.mistakes.add(f"the path of a mask image is expected, but the cell holds {name}", number, column)
            return ()
        return tuple(found for cell in cells if (found := self._path(column, cell, number)) is not None)

    def _exists(self, value: str) -> bool:
        path = self._files.find(self.folder, value)
        return path is not None and os.path.exists(path)

    def _known(
        self, row: Mapping[str, Any], column: str, number: int, read: Callable[[str], Known], unknown: Known
    ) -> Known:
        try:
            return read(row[column]) if column else unknown
        except ValueError as error:
            self.mistakes.add(str(error), number, column)
            return unknown


def _label(row: Mapping[str, Any], column: str, number: int, mistakes: Mistakes) -> float:
    text = str(row.get(column, "")).lower()
    if text == "":
        return math.nan
    if text in ("0", "0.0", "false"):
        return 0.0
    if text in ("1", "1.0", "true"):
        return 1.0
    mistakes.add(f"0, 1 or nothing expected, but got {row[column]!r}", number, column)
    return math.nan


def mask_cells(cell: Any, exists: Callable[[str], bool]) -> list[str]:
    """Return the paths in the cell of a mask: one, or several with ; or | between them, or the list of a Parquet cell.

    A path with such a sign in its name is one path if it exists.
    """
    if isinstance(cell, list | tuple):
        return [text for text in map(text_of, cell) if text]
    whole = text_of(cell)
    if not re.search(r"[;|]", whole) or annotation(whole) or exists(whole):
        return [whole] if whole else []
    return [text for text in (part.strip() for part in re.split(r"[;|]", whole)) if text]


def _datum(cell: Any) -> str | float:
    """Return a number where the cell reads as one, else its text; a missing value is an empty text."""
    text = text_of(cell)
    number = number_of(text)
    if number is not None:
        return float(number) if math.isfinite(number) else ""
    return "" if text.lower() == "nan" else text


def _check_unique(entries: Sequence[Entry], columns: Columns, mistakes: Mistakes) -> None:
    first: dict[str, int] = {}
    for entry in entries:
        before = first.setdefault(entry.id, entry.row)
        if before != entry.row:
            mistakes.add(f"{entry.id!r} is in row {before} already", entry.row, columns.id or columns.image)
