"""Text that breaks between atoms only: an atom is a word, a number, an identifier or a short bracketed interval."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

_ATOM = re.compile(r"[^\s\[]*\[[^\[\]\n]{1,24}\]\S*|\S+")


class Words:
    """A paragraph that is broken between atoms only."""

    def __init__(self, text: str | Text, style: str = "", indent: int = 0, hanging: int = 0) -> None:
        self._text = text if isinstance(text, Text) else Text(text, style)
        self._indent, self._hanging = indent, hanging

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield the lines of the paragraph."""
        lines = _lines(wrap(self._text, options.max_width - max(self._indent, self._hanging)))
        spaces = [self._indent, *[self._hanging] * (len(lines) - 1)]
        whole = Text("\n", no_wrap=True, overflow="ignore")  # a word wider than the terminal is neither broken nor cut
        yield whole.join(Text(" " * count) + line for count, line in zip(spaces, lines, strict=True))


def longest(text: Text) -> int:
    """Return the width of the longest atom in cells of a terminal, with the indent of its line."""
    return max(
        (cell_len(line.plain[start:end]) for line in _lines(text) for start, end in _spans(line.plain)), default=0
    )


def natural(text: Text) -> int:
    """Return the width that the text takes if no line is broken."""
    return max((cell_len(line.plain) for line in _lines(text)), default=0)


def wrap(text: Text, width: int) -> Text:
    """Break the lines of a text between atoms so that they fit; an atom wider than `width` keeps a line of its own."""
    return Text("\n").join(part for line in _lines(text) for part in _wrap_line(line, width))


def _lines(text: Text) -> list[Text]:
    return list(text.split("\n", allow_blank=True))


def _spans(line: str) -> Iterator[tuple[int, int]]:
    """Yield where each atom begins and ends; the first one begins with the indent of the line."""
    for place, match in enumerate(_ATOM.finditer(line)):
        yield (match.start() if place else 0), match.end()


def _wrap_line(line: Text, width: int) -> list[Text]:
    cuts, begin = list[int](), 0
    for start, end in _spans(line.plain):
        if start > begin and cell_len(line.plain[begin:end]) > width:
            cuts.append(start)
            begin = start
    parts = list(line.divide(cuts))
    for part in parts:
        part.rstrip()
    return parts
