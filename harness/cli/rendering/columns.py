"""The content of a table: columns of cells, and how wide they must and would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from harness.cli.rendering.atoms import longest, natural

READABLE = 16
"""Width in which a column of sentences can be read, in characters."""


@dataclass(frozen=True)
class Column:
    """A column and its cells.

    Args:
        title: the heading.
        right: True for numbers, which are aligned to the right.
        key: True if the column identifies a row; every part of a divided table repeats it.
        spare: True if the column may be left out before the table is divided.
        cells: one per row.
    """

    title: str
    right: bool = False
    key: bool = False
    spare: bool = False
    cells: tuple[Text, ...] = ()

    def filled(self, cells: Sequence[Text]) -> Column:
        """Return the column with these cells."""
        return replace(self, cells=tuple(cells))

    @property
    def wanted(self) -> int:
        """Width at which no line of the column is broken."""
        return max(map(natural, self._texts()))

    @property
    def unbroken(self) -> int:
        """Width at which no cell is broken; the heading may be."""
        return max(longest(Text(self.title)), *map(natural, self.cells), 0)

    @property
    def longest(self) -> int:
        """Width of the longest part that must not be broken."""
        return max(map(longest, self._texts()))

    @property
    def least(self) -> int:
        """Least width of the column: numbers may break between atoms, text keeps a readable width."""
        return self.longest if self.right else max(self.longest, min(READABLE, self.wanted))

    def _texts(self) -> Iterator[Text]:
        yield Text(self.title)
        yield from self.cells


@dataclass(frozen=True)
class Content:
    """The columns of a table.

    Args:
        columns: with as many cells each as there are labels.
        labels: the full name of each row.
        grouped: True if a key that equals the one above is left blank.
    """

    columns: tuple[Column, ...]
    labels: tuple[str, ...] = ()
    grouped: bool = False

    @property
    def keys(self) -> list[Column]:
        """The columns that identify a row."""
        return [column for column in self.columns if column.key]

    @property
    def values(self) -> list[Column]:
        """All other columns."""
        return [column for column in self.columns if not column.key]

    @property
    def rows(self) -> list[tuple[Text, ...]]:
        """The cells of each row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def only(self, columns: Sequence[Column]) -> Content:
        """Return the content with these columns alone."""
        return replace(self, columns=tuple(columns))

    def transposed(self) -> Content:
        """Return a row for each column that is no key, and a column for each row."""
        values, titles = self.values, [column.title for column in self.values]
        names = Column(" ".join(column.title for column in self.keys), key=True, cells=tuple(map(Text, titles)))
        numbers = all(column.right for column in values)
        others = [
            Column(label, numbers, cells=tuple(column.cells[place] for column in values))
            for place, label in enumerate(self.labels)
        ]
        return Content((names, *others), tuple(titles))

    def merged(self) -> Content:
        """Return the content with each key left blank that equals the one above, but for the last key."""
        if not self.grouped:
            return self
        kept, keys = list[Column](), self.keys
        for column in self.columns:
            if not column.key or column is keys[-1]:
                kept.append(column)
                continue
            upto = [key.cells for key in keys[: keys.index(column) + 1]]
            same = [
                bool(row) and all(cells[row] == cells[row - 1] for cells in upto) for row in range(len(self.labels))
            ]
            blank = tuple(Text("") if equal else cell for equal, cell in zip(same, column.cells, strict=True))
            kept.append(column.filled(blank))
        return self.only(kept)
