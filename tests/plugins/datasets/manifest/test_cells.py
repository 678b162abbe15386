"""What a cell of a manifest says: missing values, labels, patients, and columns without meaning."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.contract.errors import InputError
from tests.plugins.datasets.manifest.tables import build, rows, write


def told(root, **changed):
    with pytest.raises(InputError) as caught:
        build(root, **changed)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(("column", "word"), [("patient_id", "N/A"), ("label_b", "None"), ("split", "NULL")])
def test_a_text_that_may_mean_missing_is_refused_with_row_and_column(tmp_path, column, word):
    table = rows()
    table[3][column] = word
    write(tmp_path, table)
    first = told(tmp_path)[0]
    assert f"table.csv: row 5: {column}: {word!r} may be a missing value or a name" in first
    assert f'missing = ["{word}"]' in first


def test_missing_lists_the_texts_that_are_missing_values(tmp_path):
    table = rows()
    table[0]["label_b"], table[1]["label_b"] = "NA", "#N/A"
    write(tmp_path, table)
    samples = build(tmp_path, missing=("NA", "?")).split("train")
    assert math.isnan(samples[0].labels[1]) and math.isnan(samples[1].labels[1])
    table[2]["patient_id"] = "?"
    write(tmp_path, table)
    assert any(line.endswith("row 4: patient_id: is empty") for line in told(tmp_path, missing=("NA", "?")))


def test_with_no_missing_texts_none_is_a_name(tmp_path):
    table = rows()
    for row in table[:2]:
        row["patient_id"] = "None"
    write(tmp_path, table)
    assert build(tmp_path, missing=()).split("train")[0].group == "None"


def test_rows_that_where_leaves_out_may_hold_anything(tmp_path):
    table = rows(24)
    for row in (table[2], table[3]):
        row["patient_id"], row["view"] = "nan", "out"
    write(tmp_path, table)
    assert len(build(tmp_path, where='view != "out"').split("train")) == 6


def test_true_and_false_are_labels_in_any_case(tmp_path):
    table = rows()
    for row in table:
        row["label_a"] = ("FALSE", "TRUE")[int(row["label_a"])]
    write(tmp_path, table)
    assert [sample.labels[0] for sample in build(tmp_path).split("train")] == [0, 0, 1, 1]


def test_whole_numbers_that_became_floats_are_the_same_patients(tmp_path):
    table = rows()
    for n, row in enumerate(table):
        row["patient_id"] = f"{n // 2}.0"
    table[1]["patient_id"] = "0"
    write(tmp_path, table)
    assert {sample.group for sample in build(tmp_path).split("train")} == {"0", "1"}
    frame = pd.DataFrame(table).assign(patient_id=[float(row["patient_id"]) for row in table])
    frame.to_parquet(tmp_path / "set/table.parquet")
    assert {sample.group for sample in build(tmp_path, path="set/table.parquet").split("train")} == {"0", "1"}


def test_a_point_within_names_is_kept(tmp_path):
    table = rows()
    for n, row in enumerate(table):
        row["patient_id"] = f"{n // 4}.{n // 2 % 2}"
    write(tmp_path, table)
    assert {sample.group for sample in build(tmp_path).split("train")} == {"0.0", "0.1"}


@pytest.mark.parametrize(
    ("train", "test"), [("A7", "a7"), ("p-07", "P_7"), ("003", "3"), ("s 1", "s_01"), ("x1.0", "X1")]
)
def test_one_patient_in_two_spellings_is_told_with_the_pair(tmp_path, train, test):
    table = rows()
    table[0]["patient_id"] = table[1]["patient_id"] = train
    table[10]["patient_id"] = table[11]["patient_id"] = test
    write(tmp_path, table)
    (note,) = [note for note in build(tmp_path).notes() if "spelling" in note]
    assert f"{train!r} (train) and {test!r} (test)" in note


def test_spellings_inside_one_split_are_no_leak(tmp_path):
    table = rows()
    table[0]["patient_id"], table[1]["patient_id"] = "A1", "a1"
    write(tmp_path, table)
    assert build(tmp_path).notes() == ()


def test_index_columns_of_pandas_are_no_metadata(tmp_path):
    write(tmp_path, rows())
    frame = pd.read_csv(tmp_path / "set/table.csv")
    frame.reset_index().to_csv(tmp_path / "set/once.csv")
    pd.read_csv(tmp_path / "set/once.csv").to_csv(tmp_path / "set/table.csv")
    dataset = build(tmp_path)
    known = dataset.metadata(dataset.split("train")[0])
    assert [name for name in known if not name.startswith("file ")] == ["view"]
    assert "Unnamed: 0" in build(tmp_path, metadata=("Unnamed: 0",)).metadata(dataset.split("train")[0])


def test_pictures_inside_parquet_are_refused_in_one_line(tmp_path):
    write(tmp_path, rows())
    frame = pd.DataFrame([{**row, "image": {"bytes": b"\x89PNG", "path": None}} for row in rows()])
    frame.to_parquet(tmp_path / "set/table.parquet")
    assert "image: the cell holds a picture (bytes and path)" in told(tmp_path, path="set/table.parquet")[0]


def test_where_that_keeps_no_row_says_which_constant_equals_no_cell(tmp_path):
    write(tmp_path, rows())
    assert told(tmp_path, where='view == "XCCL"')[1].endswith(
        "'XCCL' equals no cell of view, which holds 'MLO', 'CC'; did you mean 'CC'?"
    )


def test_a_constant_without_a_cell_is_noted(tmp_path):
    write(tmp_path, rows())
    (note,) = build(tmp_path, where='view != "cc"').notes()
    assert "'cc' equals no cell of view" in note
