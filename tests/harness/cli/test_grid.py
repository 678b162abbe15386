"""The table of the terminal: at any width from 60 on, identifiers and numbers are whole or left to `--json` by name."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.cli.views.grid import Grid

CLASSES = (
    "Atelectasis Cardiomegaly Consolidation Edema Effusion Emphysema Fibrosis Hernia Infiltration Mass Nodule "
    "Pleural_Thickening Pneumonia Pneumothorax"
).split()
NUMBERS = ["AUC", *CLASSES, "against gmic"]

identifiers = st.text("abcdefghijklmnopqrstuvwxyzABC_0123456789-./@é中", min_size=1, max_size=34)
long_identifiers = st.text("abcdef_0123456789-", min_size=40, max_size=130)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: f"{value:+.3f}")
intervals = st.tuples(numbers, numbers, numbers).map(lambda three: "{} [{}, {}]".format(*three))
sentences = st.lists(identifiers, max_size=12).map(" ".join)
lines = st.lists(identifiers, max_size=3).map("\n".join)
CELLS = {"name": identifiers, "number": numbers, "interval": intervals, "sentence": sentences, "lines": lines}


@st.composite
def tables(draw: st.DrawFn, names: Any = identifiers) -> tuple[Grid, list[tuple[str, list[str]]]]:
    """Draw a table, and each column as its title and cells."""
    keys, rows = draw(st.integers(1, 2)), draw(st.integers(0, 6))
    kinds = ["name"] * keys + draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=16))
    titles = draw(st.lists(identifiers, min_size=len(kinds), max_size=len(kinds), unique=True))
    cells = [
        draw(st.lists(names if place < keys else CELLS[kind], min_size=rows, max_size=rows))
        for place, kind in enumerate(kinds)
    ]
    right = [title for title, kind in zip(titles, kinds, strict=True) if kind in {"number", "interval"}]
    spare = draw(st.lists(st.sampled_from(titles[keys:]), max_size=2)) if titles[keys:] else []
    table = Grid(*titles, right=right, keys=keys, spare=spare, grouped=draw(st.booleans()))
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    return table, list(zip(titles, cells, strict=True))


def shown(table: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table, overflow="ignore", crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def left_out(text: str) -> set[str]:
    """Return what the line below the table names."""
    found = re.search(r"^Not shown at \d+ columns: (.*)\. Use --json\.$", " ".join(text.split("\n")), re.MULTILINE)
    found = re.search(r"Not shown at \d+ columns: (.*)\. Use --json\.", " ".join(text.split()))
    return set(found.group(1).split(", ")) if found else set()


def check(table: Grid, columns: list[tuple[str, list[str]]], width: int) -> None:
    text = shown(table, width)
    words, named = text.split(), left_out(text)
    assert named <= {title for title, _ in columns}
    for title, cells in columns:
        if title not in named:
            for atom in {atom for cell in cells for atom in cell.split()}:
                assert atom in words, (title, atom)
    assert all(cell_len(line) <= width for line in text.splitlines() if not named)


@settings(max_examples=200)
@given(tables(), st.integers(60, 200))
def test_every_identifier_and_number_is_whole_or_its_column_is_named(
    drawn: tuple[Grid, list[tuple[str, list[str]]]], width: int
) -> None:
    check(*drawn, width)


@settings(max_examples=50)
@given(tables(st.one_of(identifiers, long_identifiers)), st.integers(60, 100))
def test_a_name_wider_than_the_terminal_is_left_to_json_by_name(
    drawn: tuple[Grid, list[tuple[str, list[str]]]], width: int
) -> None:
    check(*drawn, width)
