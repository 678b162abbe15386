"""The table of the terminal: at any width from 60 on, identifiers and numbers are whole or left to `--json` by name."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.cli.app import App
from harness.cli.main import build_cli
from harness.cli.rendering.grid import Grid
from harness.study.file.spec import study_names

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


@dataclass(frozen=True)
class Drawn:
    """A table as plain data: titles, cells by column, and what `Grid` is given with them."""

    titles: list[str]
    cells: list[list[str]]
    options: dict[str, Any]

    def grid(self) -> Grid:
        table = Grid(*self.titles, **self.options)
        for row in zip(*self.cells, strict=True):
            table.add_row(*row)
        return table


@st.composite
def tables(draw: st.DrawFn, names: st.SearchStrategy[str] = identifiers) -> Drawn:
    keys, rows = draw(st.integers(1, 2)), draw(st.integers(0, 6))
    kinds = ["name"] * keys + draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=16))
    titles = draw(st.lists(identifiers, min_size=len(kinds), max_size=len(kinds), unique=True))
    strategies = [names if place < keys else CELLS[kind] for place, kind in enumerate(kinds)]
    cells = [draw(st.lists(strategy, min_size=rows, max_size=rows)) for strategy in strategies]
    spare = draw(st.lists(st.sampled_from(titles[keys:]), max_size=2)) if titles[keys:] else []
    right = [title for title, kind in zip(titles, kinds, strict=True) if kind in {"number", "interval"}]
    options = {"right": right, "keys": keys, "spare": spare, "grouped": draw(st.booleans())}
    return Drawn(titles, cells, options)


def shown(table: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table, overflow="ignore", crop=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def left_out(text: str) -> set[str]:
    """Return what the line below the table names."""
    found = re.search(r"Not shown at \d+ columns: (.*)\. Use --json\.", " ".join(text.split()))
    return set(found.group(1).split(", ")) if found else set()


def check(drawn: Drawn, width: int) -> None:
    text = shown(drawn.grid(), width)
    words, named = text.split(), left_out(text)
    for title, cells in zip(drawn.titles, drawn.cells, strict=True):
        atoms = {atom for cell in cells for atom in cell.split()}
        if title in named:
            assert title in drawn.options["spare"] or any(cell_len(atom) > width - 5 for atom in (title, *atoms))
        else:
            assert atoms <= set(words), title
    assert named <= set(drawn.titles)
    assert all(cell_len(line) <= width or len(line.split()) == 1 for line in text.splitlines())


@settings(max_examples=150)
@given(tables(), st.integers(60, 200))
def test_every_identifier_and_number_is_whole_or_its_column_is_named(drawn: Drawn, width: int) -> None:
    check(drawn, width)


@settings(max_examples=50)
@given(tables(st.one_of(identifiers, long_identifiers)), st.integers(60, 100))
def test_a_name_wider_than_the_terminal_keeps_a_line_of_its_own(drawn: Drawn, width: int) -> None:
    check(drawn, width)


def leaderboard(variants: int) -> Grid:
    table = Grid("variant", *NUMBERS, right=NUMBERS)
    for place in range(variants):
        table.add_row(f"variant_{place}", "0.806", *["0.806"] * len(CLASSES), "+.069 [+.043, +.096]")
    return table


def test_a_path_that_is_too_wide_hides_no_sentence() -> None:
    table = Grid("", "about", "finding", keys=2)
    table.add_row("ok", "cache", f"/{'deep/' * 20}cache can be written")
    table.add_row("ok", "study", "2 complete: the three records agree")
    text = shown(table, 60)
    assert f"/{'deep/' * 20}cache" in text.split() and "the three records agree" in text


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_fourteen_classes_are_all_shown(width: int) -> None:
    for variants in (2, 12):
        lines = shown(leaderboard(variants), width).splitlines()
        assert max(map(len, lines)) <= width and "Not shown" not in "".join(lines)
        for name in CLASSES:
            assert any(name in line.split() for line in lines), name


def test_few_rows_are_transposed_and_many_are_shown_in_parts() -> None:
    assert sum("variant_0" in line for line in shown(leaderboard(2), 80).splitlines()) == 1
    assert sum("variant_0" in line for line in shown(leaderboard(12), 80).splitlines()) > 1


def test_an_interval_is_broken_between_value_and_bounds_alone() -> None:
    table = Grid("variant", "a", "b", "difference", right=["a", "b", "difference"])
    table.add_row("densenet121_gwap", "0.806", "0.806", "+.069 [+.043, +.096]")
    text = shown(table, 60)
    assert "+.069" in text and "[+.043, +.096]" in text


def test_rows_with_sentences_become_blocks_where_columns_would_be_too_narrow() -> None:
    table = Grid("study", "question", "budgets", "runs")
    table.add_row("attention_pooling", "Does squared normalisation widen the gap?", "quick, standard", "quick-1a2b3c4d")
    assert shown(table, 120).splitlines()[1].split() == ["study", "question", "budgets", "runs"]
    assert "attention_pooling\n  question: Does squared normalisation widen the gap?\n" in shown(table, 60)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_the_lists_of_commands_keep_every_name_whole(tmp_path: Path, width: int) -> None:
    app = App(tmp_path)
    runner, cli = CliRunner(env={"COLUMNS": str(width)}), build_cli(app)
    names = {item.name for _, item, _ in app.catalog.items()}
    datasets = {item.name for kind, item, _ in app.catalog.items() if kind == "dataset"}
    for command, expected in (("plugin list", names), ("data list", datasets), ("study list", set(study_names()))):
        text = runner.invoke(cli, command.split(), catch_exceptions=False).stdout
        assert expected and expected <= set(text.split()), command
        assert max(len(line) for line in text.splitlines() if "/" not in line) <= width  # the data root is a path


def test_short_text_is_not_transposed() -> None:
    table = Grid("variant", "differs by")
    table.add_row("a_much_wider_network_with_squared_attention", "model.width = 8")
    assert "a_much_wider_network_with_squared_attention\n  differs by: model.width = 8\n" in shown(table, 60)


def test_a_repeated_key_is_left_blank_only_below_its_own_group() -> None:
    table = Grid("kind", "name", keys=2, grouped=True)
    for row in (("pooling", "max"), ("pooling", "mean"), ("metric", "max")):
        table.add_row(*row)
    assert [line.split() for line in shown(table, 60).splitlines()[3:6]] == [
        ["pooling", "max"],
        ["mean"],
        ["metric", "max"],
    ]


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="2 for 1 columns"):
        Grid("name").add_row("a", "b")


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    table = Grid("name")
    table.add_row("[red]x[/red]")
    table.add_row(Text("y", "red"))
    assert "[red]x[/red]" in shown(table, 60)
