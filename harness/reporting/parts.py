"""What a report is made of: sections of texts, tables and pictures. Knows nothing of HTML or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Text:
    """A paragraph; `tone` is "", "answer" (stands out), "warning" or "heading". Variants stand in backquotes."""

    text: str
    tone: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Lines:
    """A list of sentences; `quiet` ones explain a chart above them."""

    lines: Sequence[str]
    quiet: bool = False
    kind: ClassVar[str] = "lines"


@dataclass(frozen=True)
class Code:
    """What to type, as it is."""

    text: str
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Table:
    """A table of text, and beneath it what its columns mean.

    Args:
        title: above it; "" for none.
        cells: as they are shown; the first column names the row.
        notes: sentences: what ± is over, what an interval resamples, which split.
        marked: places of rows that stand out.
        words: whether the columns hold words, which stand to the left.
    """

    title: str
    cells: pd.DataFrame
    notes: Sequence[str] = ()
    marked: frozenset[int] = frozenset()
    words: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A picture with what it shows in words.

    Args:
        name: of its file, below the report's folder: `figures/forest.svg`.
        data: SVG or WebP.
        alt: for who cannot see it: what it shows, and the main numbers.
        caption: beneath it; "" for none.
    """

    name: str
    data: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Pictures:
    """Pictures beside one another, with notes beneath. `small` are the panels of one image."""

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
        parts: in the order they are read.
        tables: name of a CSV file -> its rows in full precision.
    """

    key: str
    title: str
    parts: Sequence[Part]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Picture]:
        """Every picture in it."""
        return [picture for part in self.parts if isinstance(part, Pictures) for picture in part.pictures]
