"""Choose how a table is shown at a width: whole, without spare columns, in parts, transposed, or as a block a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.cli.views.atoms import wrap
from harness.cli.views.columns import Column, Content

NARROW = 24
"""Widest value of a table that is shown in parts or transposed, in characters; wider values are shown in blocks."""
_INDENT = 2


def lay_out(content: Content, elsewhere: str, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
    """Yield the table within the width: nothing is broken, and the columns that do not fit are named below.

    Args:
        content: the table.
        elsewhere: what to use for the columns that do not fit.
        console: counts lines.
        options: hold the width.
    """
    width, left = options.max_width, list[Column]()
    if not fits(content.columns, width):
        left = [column for column in content.columns if column.spare]
        content = content.only([column for column in content.columns if not column.spare])
    if fits(content.columns, width):
        yield _drawn(content, width)
    elif found := _divided(content, console, options):
        yield found
    else:
        left += _too_wide(content.columns, width)
        yield _blocks(content.only([column for column in content.columns if column not in left]), width)
    if left:
        names = ", ".join(column.title for column in left)
        yield wrap(Text(f"Not shown at {width} columns: {names}. Use {elsewhere}.", "dim"), width)


def fits(columns: Sequence[Column], width: int) -> bool:
    """Return True if the columns have their least width beside each other, with the space around them."""
    return sum(column.least for column in columns) + 2 * len(columns) <= width


def _unbroken(columns: Sequence[Column], width: int) -> bool:
    """Return True if no cell of the columns is broken next to each other."""
    return sum(max(column.unbroken, column.least) for column in columns) + 2 * len(columns) <= width


def _divided(content: Content, console: Console, options: ConsoleOptions) -> RenderableType | None:
    """Return the shorter of the table in parts and the transposed table in parts; None if neither fits."""
    if any(column.unbroken > NARROW for column in content.values):
        return None
    shapes = [_parts(shape, options.max_width) for shape in (content, content.transposed())]
    found = [shape for shape in shapes if shape]
    return min(found, key=lambda shape: len(console.render_lines(shape, options)), default=None)


def _parts(content: Content, width: int) -> Group | None:
    """Return tables one below the other, each with the keys; None if some column does not fit beside them."""
    parts = list[list[Column]]()
    for column in content.values:
        if not parts or not _unbroken([*parts[-1], column], width):
            parts.append(list(content.keys))
        parts[-1].append(column)
    if not all(_unbroken(part, width) for part in parts):
        return None
    return Group(*(_drawn(content.only(part), width) for part in parts))


def _drawn(content: Content, width: int) -> Table:
    """Return the content as a table of rich, each line broken beforehand."""
    widths = _widths(content.columns, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for column, room in zip(content.columns, widths, strict=True):
        justify = "right" if column.right else "left"
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
    """Return the columns with a part that a block of this width cannot hold."""
    room = width - 2 * _INDENT - 1
    return [column for column in columns if column.longest > (width if column.key else room)]


def _blocks(content: Content, width: int) -> Group:
    """Return a block for each row: its keys, then each value with its title, indented."""
    lines = [Text("")]
    for place in range(len(content.labels)):
        keys = Text(" ").join(column.cells[place] for column in content.keys if column.cells[place].plain.strip())
        keys.stylize("bold")
        lines.append(wrap(keys if keys.plain else Text(f"row {place + 1}", "bold"), width))
        for column in content.values:
            if column.cells[place].plain:
                lines.append(_indented(Text.assemble((f"{column.title}: ", "dim"), column.cells[place]), width))
    return Group(*lines, Text(""))


def _indented(text: Text, width: int) -> Text:
    """Return the text with an indent, a deeper one from its second line on."""
    lines = wrap(text, width - 2 * _INDENT).split("\n", allow_blank=True)
    return Text("\n").join(Text(" " * _INDENT * (2 if place else 1)) + line for place, line in enumerate(lines))
