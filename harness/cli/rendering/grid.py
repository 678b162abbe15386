"""The one table of the terminal. Every command shows its tables through it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from harness.cli.rendering.atoms import Words
from harness.cli.rendering.columns import Column, Content
from harness.cli.rendering.layout import lay_out


class Grid:
    """A table that fits the width it is given and never breaks or truncates an identifier or a number.

    Args:
        titles: the headings of the columns.
        right: the columns that hold numbers.
        keys: how many of the first columns identify a row.
        spare: the columns that may be left out before the table is divided.
        title: a line above the table.
        grouped: True if a key that equals the one above is left blank.
        elsewhere: what to use for columns that do not fit.
    """

    def __init__(
        self,
        *titles: str,
        right: Collection[str] = (),
        keys: int = 1,
        spare: Collection[str] = (),
        title: str = "",
        grouped: bool = False,
        elsewhere: str = "--json",
    ) -> None:
        self._columns = [Column(name, name in right, place < keys, name in spare) for place, name in enumerate(titles)]
        self._rows, self._labels = list[list[Text]](), list[str]()
        self._title, self._grouped, self._elsewhere = title, grouped, elsewhere

    def add_row(self, *cells: str | Text, style: str = "", label: str = "") -> None:
        """Add a row.

        Args:
            cells: one for each column; without markup.
            style: of the cells that have none of their own.
            label: the row's full name, where its keys are clear only below the row above.
        """
        if len(cells) != len(self._columns):
            raise ValueError(f"one cell a column must be given, but got {len(cells)} for {len(self._columns)} columns.")
        texts = [cell if isinstance(cell, Text) else Text(cell, style) for cell in cells]
        keys = [text.plain for text, column in zip(texts, self._columns, strict=True) if column.key]
        self._rows.append(texts)
        self._labels.append(label or " ".join(" ".join(keys).split()))

    @property
    def content(self) -> Content:
        """The table without its looks."""
        cells = list(zip(*self._rows, strict=True)) or [()] * len(self._columns)
        columns = (column.filled(texts) for column, texts in zip(self._columns, cells, strict=True))
        return Content(tuple(columns), tuple(self._labels), self._grouped)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the title and the table in the layout that suits the width."""
        if self._title:
            yield Words(self._title, "italic")
        yield from lay_out(self.content, self._elsewhere, options.max_width)
