"""Reading of a manifest's table: every row is checked, and all mistakes are reported at once with row and column."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from harness import InputError, nearest
from harness_datasets.manifest.entries import Columns, Entry, Mistakes
from harness_datasets.manifest.images.foreign import annotation
from harness_datasets.manifest.mammograms.words import flipped_of, side_of, view_of
from harness_datasets.manifest.rows import read_rows
from harness_datasets.manifest.where import parse_where

Known = TypeVar("Known")


def read_entries(
    path: Path, root: Path, columns: Columns, where: str, mistakes: Mistakes, lenient: bool = False
) -> list[Entry]:
    """Return the rows that `where` keeps, checked one by one and against each other.

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
        try:
            keep = parse_where(where, names)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        rows = [(number, row) for number, row in rows if keep(row)]
        if not rows:
            raise InputError(f"{path}: where = {where!r} keeps no row")
    further = columns.further(names)
    entries = [_entry(number, row, root, path.parent, columns, further, mistakes, lenient) for number, row in rows]
    _check_unique(entries, columns, mistakes)
    return entries


def inside(root: Path, folder: Path, value: str) -> Path | None:
    """Return `value` relative to `folder`, or None if that would leave `root`.

    By the letters of the path: a link that the user put below the root may lead where it likes.
    """
    if not value or Path(value).is_absolute() or "\0" in value:
        return None
    parts: list[str] = []
    for part in (*folder.relative_to(root).parts, *Path(value).parts):
        if part == ".." and not parts:
            return None
        parts = parts[:-1] if part == ".." else [*parts, part]
    return root.joinpath(*parts)


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


def _entry(
    number: int,
    row: Mapping[str, Any],
    root: Path,
    folder: Path,
    columns: Columns,
    further: Sequence[str],
    mistakes: Mistakes,
    lenient: bool,
) -> Entry:
    def path_in(column: str, value: str) -> Path | None:
        found = inside(root, folder, value) if value else None
        if value and found is None:
            mistakes.add(f"{value!r} climbs out of the data root", number, column)
        return found

    def masks_in(column: str) -> tuple[Path, ...]:
        cells = mask_cells(row.get(column), lambda text: os.path.exists(folder / text))
        if cells and (name := annotation(cells[0])):
            mistakes.add(f"the path of a mask image is expected, but the cell holds {name}", number, column)
            return ()
        return tuple(found for cell in cells if (found := path_in(column, cell)) is not None)

    def known(column: str, read: Callable[[str], Known], unknown: Known) -> Known:
        try:
            return read(_text(row.get(column))) if column else unknown
        except ValueError as error:
            mistakes.add(str(error), number, column)
            return unknown

    image = _text(row.get(columns.image))
    if not image:
        mistakes.add("is empty", number, columns.image)
    group = _text(row.get(columns.group)) or (image if lenient else "")
    if not group:
        mistakes.add("is empty", number, columns.group)
    together = _text(row.get(columns.together)) if columns.together else ""
    if columns.together and not together:
        mistakes.add("is empty", number, columns.together)
    identity = _text(row.get(columns.id)) if columns.id else image
    masks = tuple(masks_in(f"mask_{name}") if columns.masks else () for name in columns.labels)
    return Entry(
        row=number,
        id=identity,
        group=group,
        unit=_text(row.get(columns.unit)) if columns.unit else identity,
        labels=tuple(_label(row, f"label_{name}", number, mistakes) for name in columns.labels),
        image=path_in(columns.image, image) or root,
        masks=masks,
        split=_text(row.get(columns.split)) if columns.split else "",
        metadata={column: _datum(row.get(column)) for column in further},
        side=known(columns.side, side_of, ""),
        view=known(columns.view, view_of, ""),
        flipped=known(columns.flipped, flipped_of, False),
        together=together,
    )


def _label(row: Mapping[str, Any], column: str, number: int, mistakes: Mistakes) -> float:
    text = _text(row.get(column))
    if text in ("", "nan", "NaN", "None"):
        return math.nan
    if text in ("0", "0.0", "False", "false"):
        return 0.0
    if text in ("1", "1.0", "True", "true"):
        return 1.0
    mistakes.add(f"0, 1 or nothing expected, but got {text!r}", number, column)
    return math.nan


def mask_cells(cell: Any, exists: Callable[[str], bool]) -> list[str]:
    """Return the paths in the cell of a mask: one, or several with ; or | between them, or the list of a Parquet cell.

    A path with such a sign in its name is one path if it exists.
    """
    if isinstance(cell, list | tuple):
        return [text for text in map(_text, cell) if text]
    whole = _text(cell)
    if not re.search(r"[;|]", whole) or annotation(whole) or exists(whole):
        return [whole] if whole else []
    return [text for text in (part.strip() for part in re.split(r"[;|]", whole)) if text]


def _datum(cell: Any) -> str | float:
    """Return a number where the cell reads as one, else its text; a missing value is an empty text."""
    text = _text(cell)
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else ""


def _check_unique(entries: Sequence[Entry], columns: Columns, mistakes: Mistakes) -> None:
    first: dict[str, int] = {}
    for entry in entries:
        before = first.setdefault(entry.id, entry.row)
        if before != entry.row:
            mistakes.add(f"{entry.id!r} is in row {before} already", entry.row, columns.id or columns.image)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()
