"""Layouts of a table for a width: whole, without spare columns, in parts, transposed, or as a block for each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.cli.rendering.atoms import Words, wrap
from harness.cli.rendering.columns import Column, Content

NARROW = 24
"""Widest value of a table that is shown in parts or transposed, in characters; wider values are shown in blocks."""
_INDENT = 2


def lay_out(content: Content, elsewhere: str, width: int) -> Iterator[RenderableType]:
    """Yield the table within the width: nothing is broken, and the columns that do not fit are named below.

    Args:
        content: the table.
        elsewhere: what to use for the columns that do not fit.
        width: of the terminal, in characters.
    """
    left = list[Column]()
    if not fits(content.columns, width):
        left = [column for column in content.columns if column.spare]
        content = content.only([column for column in content.columns if not column.spare])
    if fits(content.columns, width):
        yield _drawn(content, width)
    elif found := _divided(content, width):
        yield from found
    else:
        left += _too_wide(content.columns, width)
        yield _blocks(content.only([column for column in content.columns if column not in left]))
    if left:
        names = ", ".join(column.title for column in left)
        yield Words(f"Not shown at {width} columns: {names}. Use {elsewhere}.", "dim")


def fits(columns: Sequence[Column], width: int) -> bool:
    """Return True if the width holds the columns at their least widths, with the space around them."""
    return sum(column.least for column in columns) + 2 * len(columns) <= width


def _unbroken(columns: Sequence[Column], width: int) -> bool:
    """Return True if the width holds the columns without a break in any cell."""
    return sum(max(column.unbroken, column.least) for column in columns) + 2 * len(columns) <= width


def _divided(content: Content, width: int) -> list[Table]:
    """Return a table of numbers, or its transpose, in the fewer parts; nothing for text or if neither fits."""
    numbers = any(column.right for column in content.values)
    if not numbers or any(column.unbroken > NARROW for column in content.values):
        return []
    shapes = (_parts(content, width), _parts(content.transposed(), width))
    return min(filter(None, shapes), key=len, default=[])


def _parts(content: Content, width: int) -> list[Table]:
    """Return tables to be shown one below the other, each with the keys; nothing if some column does not fit."""
    parts = list[list[Column]]()
    for column in content.values:
        if not parts or not _unbroken([*parts[-1], column], width):
            parts.append(list(content.keys))
        parts[-1].append(column)
    return [_drawn(content.only(part), width) for part in parts] if all(_unbroken(p, width) for p in parts) else []


def _drawn(content: Content, width: int) -> Table:
    """Return the content as a table of rich, each line broken beforehand."""
    widths = _widths(content.columns, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for column, room in zip(content.columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        table.add_column(wrap(Text(column.title), room), justify=justify, width=room, no_wrap=True)
    for row in content.merged().rows:
        table.add_row(*(wrap(cell, room) for cell, room in zip(row, widths, strict=True)))
    return table


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """Return the widths of columns that fit; what is left over goes to the columns that need least first."""
    widths = [column.least for column in columns]
    lacking = [column.wanted - least for column, least in zip(columns, widths, strict=True)]
    room, waiting = width - 2 * len(columns) - sum(widths), len(columns)
    for place in sorted(range(len(columns)), key=lacking.__getitem__):
        more = max(0, min(lacking[place], room // waiting))
        widths[place], room, waiting = widths[place] + more, room - more, waiting - 1
    return widths


def _too_wide(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns of numbers that a block of this width cannot hold.

    A word of a text, such as a path, keeps a line of its own: without the text the row would say nothing.
    """
    room = width - 2 * _INDENT - 1
    return [column for column in columns if column.right and column.longest > room]


def _blocks(content: Content) -> Group:
    """Return a block for each row: its keys, then each value with its title, indented."""
    lines: list[RenderableType] = [""]
    for place in range(len(content.labels)):
        keys = Text(" ").join(column.cells[place] for column in content.keys if column.cells[place].plain.strip())
        lines.append(Words(keys if keys.plain else Text(f"row {place + 1}")))
        for column in content.values:
            if column.cells[place].plain:
                value = Text.assemble((f"{column.title}: ", "dim"), column.cells[place])
                lines.append(Words(value, indent=_INDENT, hanging=2 * _INDENT))
    return Group(*lines, "")
