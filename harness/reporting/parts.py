"""The parts of a report: sections of texts, tables and pictures, independent of HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Text:
    """A paragraph; `tone` is "", "answer" (highlighted), "warning" or "heading". Variants are in backquotes."""

    text: str
    tone: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Lines:
    """A list of sentences; `quiet` lists explain the chart above them."""

    lines: Sequence[str]
    quiet: bool = False
    kind: ClassVar[str] = "lines"


@dataclass(frozen=True)
class Code:
    """A command to type, verbatim."""

    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Table:
    """A table of text, with notes on its columns below it.

    Args:
        title: above the table; "" for none.
        cells: as they are shown; the first column names the row.
        notes: sentences: what ± is over, what an interval resamples, which split.
        marked: positions of highlighted rows.
        words: whether the columns hold words, which are aligned left.
    """

    title: str
    cells: pd.DataFrame
    notes: Sequence[str] = ()
    marked: frozenset[int] = frozenset()
    words: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A picture with a description in words.

    Args:
        name: of its file, relative to the report's folder: `figures/forest.svg`.
        data: SVG or WebP.
        alt: the text alternative: the content and the main numbers.
        caption: below the picture; "" for none.
    """

    name: str
    data: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """A row of pictures with notes below it; `small` pictures are the panels of one image."""

    title: str
    pictures: Sequence[Picture]
    notes: Sequence[str] = ()
    small: bool = False
    kind: ClassVar[str] = "pictures"


Part: TypeAlias = Text | Lines | Code | Table | Pictures


@dataclass(frozen=True)
class Section:
    """A part of the report with an entry in the contents.

    Args:
        key: the anchor.
        title: a heading.
        parts: in reading order.
        tables: name of a CSV file -> its rows in full precision.
    """

    key: str
    title: str
    parts: Sequence[Part]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """Every picture of the section."""
        return [picture for part in self.parts if isinstance(part, Pictures) for picture in part.pictures]
