"""Cells of a table made plain: missing values empty, whole numbers without a point, nothing ambiguous left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness_datasets.manifest.entries import Columns, Mistakes
from harness_datasets.manifest.table.cells import ambiguous, text_of, whole_numbers

Rows = Sequence[tuple[int, Mapping[str, Any]]]


def cleaned(rows: Rows, columns: Columns, missing: Sequence[str] | None, mistakes: Mistakes) -> list[dict[str, Any]]:
    """Return the rows with their cells as text; lists and structures stay as they are.

    Args:
        rows: with their numbers.
        columns: names of the columns.
        missing: texts that are missing values. None leaves that open: then NA, N/A, None, null and nan, in any case,
            are a mistake in labels, groups, units, bags, exams and splits.
        mistakes: receives those.
    """
    found = [{name: _plain(cell, missing or ()) for name, cell in row.items()} for _, row in rows]
    names = {columns.group, columns.unit, columns.together, columns.id} - {""}
    for name in names:
        texts = [row[name] for row in found if name in row]
        if all(isinstance(text, str) for text in texts) and whole_numbers(texts):
            for row in found:
                row[name] = row[name].removesuffix(".0")
    if missing is None:
        decided = [columns.group, columns.unit, columns.together, columns.split]
        for (number, _), row in zip(rows, found, strict=True):
            for name, text in _ambiguous(row, [*decided, *(f"label_{label}" for label in columns.labels)]):
                mistakes.add(
                    f"{text!r} may be a missing value or a name: `missing` of the data set lists the texts that are "
                    f'missing values, as missing = ["{text}"], and missing = [] has none',
                    number,
                    name,
                )
    return found


def _plain(cell: Any, missing: Sequence[str]) -> Any:
    if isinstance(cell, list | tuple | dict):
        return cell
    text = text_of(cell)
    return "" if text in missing else text


def _ambiguous(row: dict[str, Any], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield column and text of each ambiguous cell, and empty the label: one mistake a cell is enough."""
    for name in names:
        text = row.get(name)
        if isinstance(text, str) and ambiguous(text):
            yield name, text
            if name.startswith("label_"):
                row[name] = ""
