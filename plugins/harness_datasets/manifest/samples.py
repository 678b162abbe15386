"""Rows of a manifest that are one sample together: the images of a bag, or the views of a breast and of the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from harness_datasets.manifest.entries import Columns, Entry, Mistakes
from harness_datasets.manifest.mammograms.words import Side, View

_SIDES: tuple[Side, ...] = ("L", "R")
_VIEWS: tuple[View, ...] = ("CC", "MLO")


@dataclass(frozen=True)
class Whole:
    """One sample.

    Args:
        entry: what holds of all its rows: id, group, unit, labels, split; its `row` is the first one's.
        rows: those that the sample is about: of a breast its own.
        images: what is read of it, in order; of a breast one a name of `task.views`, None where that is missing.
    """

    entry: Entry
    rows: tuple[Entry, ...]
    images: tuple[Entry | None, ...]

    @property
    def files(self) -> list[Path | None]:
        """Each image's file and those of its masks, None where there is none."""
        return [path for image in self.images for path in (_files(image) if image else (None,))]


def assemble(entries: Sequence[Entry], sample: str, columns: Columns, mistakes: Mistakes) -> list[Whole]:
    """Return the samples made of the rows; of single images each row is one.

    Args:
        entries: all rows.
        sample: `Task.sample`: "image", "bag" or "views".
        columns: their names, for messages.
        mistakes: receives what contradicts itself, each with both rows.
    """
    if sample == "image":
        return [Whole(entry, (entry,), (entry,)) for entry in entries]
    found: list[Whole] = []
    for name, rows in _by(entries, lambda entry: entry.together).items():
        if sample == "views":
            found += _breasts(name, rows, columns, mistakes)
        else:
            _agree(rows, columns.group, lambda row: row.group, f"bag {name!r}", mistakes)
            found.append(Whole(_joined(name, "bag", rows, columns, mistakes), tuple(rows), tuple(rows)))
    return found


def in_common(known: Sequence[Mapping[str, str | float]]) -> dict[str, str | float]:
    """Merge metadata of several rows: the mean of numbers, a text shared by all, else an empty text."""
    common: dict[str, str | float] = {}
    for name in known[0]:
        values = [one[name] for one in known]
        numbers = [value for value in values if not isinstance(value, str)]
        same = values[0] if len(set(values)) == 1 else ""
        common[name] = fmean(numbers) if len(numbers) == len(values) else same
    return common


def _breasts(exam: str, rows: Sequence[Entry], columns: Columns, mistakes: Mistakes) -> list[Whole]:
    """Return the breasts of an exam that have an image of their own, left before right."""
    _agree(rows, columns.group, lambda row: row.group, f"exam {exam!r}", mistakes)
    views = _views(exam, rows, columns, mistakes)
    found: list[Whole] = []
    for side, other in (_SIDES, _SIDES[::-1]):
        own = [row for row in rows if row.side == side]
        if own:
            images = tuple(views.get((breast, view)) for breast in (side, other) for view in _VIEWS)
            found.append(Whole(_joined(f"{exam}-{side}", "breast", own, columns, mistakes), tuple(own), images))
    return found


def _views(exam: str, rows: Iterable[Entry], columns: Columns, mistakes: Mistakes) -> dict[tuple[Side, View], Entry]:
    """Return the image of each view; add a mistake where there are two, or the view is not given."""
    views: dict[tuple[Side, View], Entry] = {}
    for row in rows:
        for value, column, allowed in ((row.side, columns.side, _SIDES), (row.view, columns.view, _VIEWS)):
            if not value:
                mistakes.add(f"is empty: {' or '.join(allowed)} expected of an image of an exam", row.row, column)
        if row.side and row.view and (before := views.setdefault((row.side, row.view), row)) is not row:
            message = (
                f"{row.side} {row.view} of exam {exam!r} is in row {before.row} already; an exam has one of each view"
            )
            mistakes.add(message, row.row, columns.view)
    return views


def _joined(name: str, what: str, rows: Sequence[Entry], columns: Columns, mistakes: Mistakes) -> Entry:
    """Return the first row with the sample's name and labels; a label unknown in one row may be given in another."""
    called = f"{what} {name!r}"
    if columns.split:
        _agree(rows, columns.split, lambda row: row.split, called, mistakes)
    if columns.unit:
        _agree(rows, columns.unit, lambda row: row.unit, called, mistakes)
    labels = tuple(_label(rows, number, label, called, mistakes) for number, label in enumerate(columns.labels))
    return replace(rows[0], id=name, unit=rows[0].unit if columns.unit else name, labels=labels)


def _label(rows: Sequence[Entry], number: int, name: str, called: str, mistakes: Mistakes) -> float:
    known = [row for row in rows if not math.isnan(row.labels[number])]
    _agree(known, f"label_{name}", lambda row: int(row.labels[number]), called, mistakes)
    return known[0].labels[number] if known else math.nan


def _agree(
    rows: Sequence[Entry], column: str, value: Callable[[Entry], object], called: str, mistakes: Mistakes
) -> None:
    """Add a mistake for each row that differs from the first."""
    for row in rows[1:]:
        if value(row) != value(rows[0]):
            message = f"{value(row)!r}, but {called} has {value(rows[0])!r} in row {rows[0].row}"
            mistakes.add(message, row.row, column)


def _files(image: Entry) -> Iterator[Path | None]:
    yield image.image
    for own in image.masks:
        yield from own or (None,)


def _by(entries: Sequence[Entry], key: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(key(entry), []).append(entry)
    return found
