"""Reading of a manifest's table: every row is checked, and all mistakes are reported at once with row and column."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from harness import InputError, nearest
from harness_datasets.manifest.mammograms import Side, View, flipped_of, side_of, view_of
from harness_datasets.manifest.where import parse_where

MOST_REPORTED = 30
Known = TypeVar("Known")


@dataclass
class Mistakes:
    """Collects what is wrong with one manifest, then raises it as one error."""

    manifest: Path
    found: list[str] = field(default_factory=list)

    def add(self, message: str, row: int | None = None, column: str = "") -> None:
        """Add a mistake; `row` counts as a text editor does."""
        place = [f"row {row}" if row is not None else "", column]
        self.found.append(": ".join(part for part in [str(self.manifest), *place, message] if part))

    def raise_if_any(self) -> None:
        """Raise one InputError with every mistake, cut off after 30."""
        messages = list(dict.fromkeys(self.found))
        if messages:
            more = [f"… and {len(messages) - MOST_REPORTED} more"] if len(messages) > MOST_REPORTED else []
            raise InputError("\n".join(messages[:MOST_REPORTED] + more))


@dataclass(frozen=True)
class Columns:
    """Which column says what; "" where there is none.

    Args:
        image: path of the image, relative to the manifest.
        group: patient.
        labels: a class each, column `label_<name>`.
        masks: columns `mask_<name>` are read.
        id: unique name; the image's path where "".
        unit: what is diagnosed; the image itself where "".
        split: train, val, tune_loc or test.
        metadata: what `Dataset.metadata` gives of a row; None for every further column.
        side: which breast, L or R; it stays metadata too.
        view: CC or MLO; it stays metadata too.
        flipped: YES where the file holds the mirror image; it stays metadata too.
        together: bag or exam: rows with the same name there are one sample, or the breasts of one exam.
    """

    image: str
    group: str
    labels: tuple[str, ...]
    masks: bool
    id: str = ""
    unit: str = ""
    split: str = ""
    metadata: tuple[str, ...] | None = None
    side: str = ""
    view: str = ""
    flipped: str = ""
    together: str = ""

    def further(self, names: Sequence[str]) -> list[str]:
        """Return the metadata columns: those stated, or all that are no label or mask and have no other use."""
        if self.metadata is not None:
            return list(self.metadata)
        used = {self.image, self.group, self.id, self.unit, self.split, "split", self.together}
        return [name for name in names if name not in used and not name.startswith(("label_", "mask_"))]


@dataclass(frozen=True)
class Entry:
    """One row that is kept."""

    row: int
    id: str
    group: str
    unit: str
    labels: tuple[float, ...]
    image: Path
    masks: tuple[Path | None, ...]
    split: str
    metadata: Mapping[str, str | float] = field(default_factory=dict)
    side: Side = ""
    view: View = ""
    flipped: bool = False
    together: str = ""


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    """Return column names, and each row with its number: the line of a CSV file, from 1 in Parquet.

    Raises:
        InputError: the file is missing, empty or no table.
    """
    try:
        columns, rows = _read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path)
    except FileNotFoundError as error:
        siblings = [other.name for other in path.parent.glob("*.*")] if path.parent.is_dir() else []
        raise InputError(f"{path}: no such file{nearest(path.name, siblings)}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: is no UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error
    except (OSError, csv.Error, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table: {error}") from error
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and sign in columns[0]:
            raise InputError(f"{path}: its cells are separated by {name}, and commas are expected")
    if not rows:
        raise InputError(f"{path}: has no rows")
    return columns, rows


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
    def path_in(column: str) -> Path | None:
        value = _text(row.get(column))
        found = inside(root, folder, value) if value else None
        if value and found is None:
            mistakes.add(f"{value!r} climbs out of the data root", number, column)
        return found

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
    masks = tuple(path_in(f"mask_{name}") if columns.masks else None for name in columns.labels)
    return Entry(
        row=number,
        id=identity,
        group=group,
        unit=_text(row.get(columns.unit)) if columns.unit else identity,
        labels=tuple(_label(row, f"label_{name}", number, mistakes) for name in columns.labels),
        image=path_in(columns.image) or root,
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


def _read_csv(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        names = next(reader, [])
        if len(set(names)) < len(names):
            raise ValueError(f"a column name is used twice in {', '.join(names)}")
        rows: list[tuple[int, Mapping[str, Any]]] = []
        for cells in filter(None, reader):
            if len(cells) != len(names):
                raise ValueError(f"row {reader.line_num} has {len(cells)} cells, the header {len(names)}")
            rows.append((reader.line_num, dict(zip(names, cells, strict=True))))
    return names, rows


def _read_parquet(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return list(table.column_names), list(enumerate(table.to_pylist(), start=1))
