"""`where` selects rows and can do nothing else."""

from __future__ import annotations

import pytest

from harness.contract.errors import InputError
from harness_datasets.manifest.where import parse_where

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
