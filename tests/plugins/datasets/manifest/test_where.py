"""`where` selects rows and can do nothing else."""

from __future__ import annotations

import pytest

from harness.contract.errors import InputError
from harness_datasets.manifest.table.where import parse_where

COLUMNS = ["conflict", "view", "age"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("conflict == 0", [0, 2]),
        ("conflict", [1]),
        ("not conflict and age > 50", [2]),
        ("age >= -1 or view == 'CC'", [0, 1, 2]),
        ("40 < age <= 60", [0, 2]),
        ("view in ['CC', 'XCCL']", [0, 1]),
        ("view not in ('CC',)", [2]),
        ("age == ''", [1]),
        ("view != 'MLO' and (conflict == 1 or age < 45.5)", [0, 1]),
    ],
)
def test_where_keeps_the_rows_it_names(text, kept):
    rows = [
        {"conflict": "0", "view": "CC", "age": "45"},
        {"conflict": "1", "view": "CC", "age": ""},
        {"conflict": "0", "view": "MLO", "age": "55.0"},
    ]
    keep = parse_where(text, COLUMNS)
    assert [number for number, row in enumerate(rows) if keep(row)] == kept


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "view.upper() == 'CC'",
        "@conflict == 0",
        "conflict + 1 == 1",
        "(lambda: 1)()",
        "[row for row in view]",
        "view[0] == 'C'",
        "conflict := 0",
        "f'{view}' == 'CC'",
        "conflict is 0",
        "age == None",
        "conflict ==",
        "",
    ],
)
def test_anything_but_comparisons_of_columns_is_refused(text):
    with pytest.raises(InputError, match="where = "):
        parse_where(text, COLUMNS)


def test_an_unknown_column_suggests_the_nearest():
    with pytest.raises(InputError, match=r"no column named 'conflikt'; did you mean 'conflict'\?"):
        parse_where("conflikt == 0", COLUMNS)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('case != "007"', [1, 2, 3]),
        ("case != 7", [1, 2, 3]),
        ('case == "7"', []),
        ('case in ["007", "12"]', [0, 1]),
        ("case in [7, 12]", [0, 1]),
        ('case > "01"', [1, 2, 3]),
        ('"1" in case', [1, 2]),
        ("case == other", [1, 2]),
        ("case == 12", [1]),
        ("case != 'x1'", [0, 1, 3]),
    ],
)
def test_text_is_compared_with_text_and_numbers_with_numbers(text, kept):
    cells = [("007", "70"), ("12", "12.0"), ("x1", "x1"), ("3_0", "30")]
    rows = [dict(zip(("case", "other"), pair, strict=True)) for pair in cells]
    assert [n for n, row in enumerate(rows) if parse_where(text, ["case", "other"])(row)] == kept


@pytest.mark.parametrize("cell", [5, 5.0, "5", " 5 "])
def test_a_number_of_parquet_is_compared_as_one_of_csv(cell):
    for text in ("n == 5", 'n == "5"', "n in [5]", 'n in ["4", "5"]', "4 < n < 6"):
        assert parse_where(text, ["n"])({"n": cell}), text


def test_a_constant_that_equals_no_cell_is_told_with_the_nearest_cell():
    rows = [{"site": f"0{n % 3}", "age": str(40 + n)} for n in range(6)]
    told = list(parse_where('site in ["0", "02"] and age != 99 and age > 1', ["site", "age"]).unmatched(rows))
    assert len(told) == 2
    assert told[0].endswith("99 equals no cell of age, which holds '40', '41', '42', …")
    assert told[1].endswith("'0' equals no cell of site, which holds '00', '01', '02'; did you mean '02'?")
