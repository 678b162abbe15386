"""Tables made elsewhere: what they become, and every mistake by name, column and row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.contract.errors import InputError
from harness.contract.tables import OWN_HEAD
from harness.contract.types import Sample
from harness.statistics.bootstrap import Resamples, auc, interval
from harness.tables.measure.external import (
    Columns,
    check_alike,
    check_exclusive,
    predictions_of,
    read_table,
    with_samples,
)

COLUMNS = Columns(id=["case", "side"], group=["case"], labels={"malignant": "malignant"}, scores={"malignant": "a"})


def frame(**changes: Any) -> pd.DataFrame:
    """Three exams of two breasts, every value as text."""
    values = {
        "case": ["007", "007", "8", "8", "9", "9"],
        "side": ["L", "R"] * 3,
        "malignant": ["0", "1", "0", "0", "1", "0"],
        "a": ["0.1", "0.9", "0.2", "0.4", "0.8", "0.3"],
        **changes,
    }
    return pd.DataFrame({name: values[name] for name in values}).astype(str)


def lines(table: pd.DataFrame, columns: Columns = COLUMNS) -> list[str]:
    with pytest.raises(InputError) as caught:
        predictions_of(table, columns, "x.csv")
    return str(caught.value).splitlines()


def test_a_row_becomes_a_row_with_its_parts_joined_and_nothing_rounded() -> None:
    rows = predictions_of(frame(), COLUMNS, "x.csv")
    assert rows["id"].tolist() == ["007/L", "007/R", "8/L", "8/R", "9/L", "9/R"]
    assert rows["unit"].tolist() == rows["id"].tolist() and set(rows["group"]) == {"007", "8", "9"}
    assert rows["score"].tolist() == [0.1, 0.9, 0.2, 0.4, 0.8, 0.3]
    assert set(rows["split"]) == {"test"} and set(rows["head"]) == {OWN_HEAD}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_csv_and_parquet_are_read_alike(tmp_path: Path, kind: str) -> None:
    table = pd.DataFrame({"case": [7, 7, 8], "side": ["L", "R", "L"], "malignant": [0, 1, 0], "a": [0.1, 0.25, 1 / 3]})
    path = tmp_path / f"x.{kind}"
    table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    rows = predictions_of(read_table(path, COLUMNS.names()), COLUMNS, path.name)
    assert rows["id"].tolist() == ["7/L", "7/R", "8/L"]
    assert rows["label"].tolist() == [0, 1, 0] and rows["score"].tolist() == [0.1, 0.25, 1 / 3]


def test_several_classes_come_one_below_the_other_in_their_order() -> None:
    table = frame(benign=["1", "0", "1", "1", "0", "0"], b=["0.5"] * 6)
    both = {"benign": "b", "malignant": "a"}
    columns = Columns(id=["case", "side"], group=["case"], labels={name: name for name in both}, scores=both)
    rows = predictions_of(table, columns, "x.csv")
    assert rows["class"].tolist() == ["benign"] * 6 + ["malignant"] * 6
    assert rows["label"].tolist()[:6] == [1, 0, 1, 1, 0, 0]


def test_rows_of_train_are_left_out_and_those_of_val_kept() -> None:
    table = frame(split=["train", "train", "val", "val", "test", "test"])
    rows = predictions_of(table, Columns(**{**vars(COLUMNS), "split": "split"}), "x.csv")
    assert rows["split"].tolist() == ["val", "val", "test", "test"]


def test_an_empty_label_is_unknown() -> None:
    rows = predictions_of(frame(malignant=["0", "1", "", "0", "1", "0"]), COLUMNS, "x.csv")
    assert math.isnan(rows["label"].iloc[2]) and rows["label"].notna().sum() == 5


def test_a_score_that_is_none_is_an_error_that_names_the_rows() -> None:
    wrong = "x.csv: a: a score is no finite number"
    assert lines(frame(a=["nan", "0.9", "", "high", "inf", "0"])) == [
        f"{wrong}: 4 ids (007/L, 8/L, 8/R and 1 more)",
    ]


def test_an_id_that_occurs_twice_is_an_error() -> None:
    twice = frame(side=["L", "L", "L", "R", "L", "R"])
    assert lines(twice) == ["x.csv: case + side: an id occurs twice: 1 id (007/L)"]


def test_a_class_with_one_label_has_no_roc_curve() -> None:
    assert lines(frame(malignant=["0"] * 6)) == [
        "x.csv: malignant: every known label is 0 on the test rows: 'malignant' has no ROC curve"
    ]
    assert "no label is known" in lines(frame(malignant=[""] * 6))[0]


def test_a_patient_in_two_splits_is_an_error() -> None:
    table = frame(split=["val", "test", "val", "val", "test", "test"])
    assert lines(table, Columns(**{**vars(COLUMNS), "split": "split"})) == [
        "x.csv: case: a group is in two splits: 1 group (007)"
    ]


def test_all_mistakes_are_reported_at_once() -> None:
    table = frame(case=["", "7", "8", "8", "9", "9"], a=["x", "0.9", "0.2", "0.4", "0.8", "0.3"])
    table.loc[5, "malignant"] = "2"
    assert lines(table) == [
        "x.csv: case + side: an id is empty: 1 id (/L)",
        "x.csv: case: a group is empty: 1 id (/L)",
        "x.csv: a: a score is no finite number: 1 id (/L)",
        "x.csv: malignant: a label is not 0, 1 or empty: 1 id (9/R)",
    ]


def test_no_rows_and_no_test_rows_are_errors() -> None:
    assert lines(frame().iloc[:0]) == ["x.csv: the table has no rows"]
    table = frame(split=["val"] * 6, malignant=["0", "1"] * 3)
    columns = Columns(**{**vars(COLUMNS), "split": "split", "labels": {}})
    assert lines(table, columns) == ["x.csv: split: no row has the split test"]


def test_two_external_tables_must_have_the_same_test_rows_labels_and_groups() -> None:
    first = predictions_of(frame(), COLUMNS, "x.csv")
    with pytest.raises(InputError, match=r"y.csv: test: not the rows of 'a' \(6\): lacks 1 id \(007/L\)$"):
        check_alike(first.iloc[1:], first, "y.csv", "'a'")
    with pytest.raises(InputError, match=r"lacks 1 id \(9/R\); has 1 id \(9/X\) too many"):
        check_alike(first.replace({"id": {"9/R": "9/X"}}), first, "y.csv", "'a'")
    with pytest.raises(InputError, match=r"a label differs from that in 'a': 6 ids \(007/L, 007/R, 8/L and 3 more\)"):
        check_alike(first.assign(label=1 - first["label"]), first, "y.csv", "'a'")
    with pytest.raises(InputError, match="a group differs"):
        check_alike(first.assign(group=first["id"]), first, "y.csv", "'a'")
    with pytest.raises(InputError, match=r"y.csv: a unit differs from that in 'a': 1 id \(007/L\)$"):
        check_alike(first.assign(unit=first["id"].replace("007/L", "007")), first, "y.csv", "'a'")
    with pytest.raises(InputError, match="scores benign, but 'a' malignant"):
        check_alike(first.assign(**{"class": "benign"}), first, "y.csv", "'a'")
    check_alike(first.sample(frac=1, random_state=0), first, "y.csv", "'a'")


def samples() -> list[Sample]:
    ids = ["007/L", "007/R", "8/L", "8/R", "9/L", "9/R"]
    return [Sample(id=i, group=f"p{i[0]}", unit=f"u{i[0]}", labels=(float(k % 2),)) for k, i in enumerate(ids)]


def test_with_a_data_set_labels_units_and_groups_are_the_data_sets() -> None:
    columns = Columns(id=["case", "side"], scores={"malignant": "a"})
    rows = with_samples(predictions_of(frame(), columns, "x.csv"), {"test": samples()}, ["malignant"], "x.csv")
    assert rows["label"].tolist() == [0, 1] * 3
    assert rows["group"].tolist() == ["p0", "p0", "p8", "p8", "p9", "p9"] and rows["unit"].iloc[0] == "u0"


def test_with_a_data_set_ids_and_labels_must_agree() -> None:
    columns = Columns(id=["case", "side"], scores={"malignant": "a"})
    rows = predictions_of(frame(), columns, "x.csv")
    with pytest.raises(InputError, match=r"x.csv: test: not the rows of the data set \(6\): lacks 2 ids \(8/L, 8/R\)"):
        with_samples(rows[~rows["id"].isin(["8/L", "8/R"])], {"test": samples()}, ["malignant"], "x.csv")
    with pytest.raises(InputError, match="no scores of the class benign"):
        with_samples(rows, {"test": samples()}, ["malignant", "benign"], "x.csv")
    with pytest.raises(InputError, match=r"a label differs from that of the data set: 3 ids \(8/R, 9/L, 9/R\)"):
        with_samples(predictions_of(frame(), COLUMNS, "x.csv"), {"test": samples()}, ["malignant"], "x.csv")


def test_constant_scores_have_an_area_of_one_half_and_no_interval() -> None:
    rows = predictions_of(frame(a=["0.5"] * 6), COLUMNS, "x.csv")
    groups, statistic = rows["group"].tolist(), auc(rows["label"].to_numpy(), rows["score"].to_numpy())
    found = interval(Resamples.draw(groups).apply(groups, statistic))
    assert found.value == 0.5 and math.isnan(found.low) and math.isnan(found.high)


def test_one_group_has_a_value_and_no_interval() -> None:
    rows = predictions_of(frame(case=["7"] * 6, side=list("abcdef")), COLUMNS, "x.csv")
    groups, statistic = rows["group"].tolist(), auc(rows["label"].to_numpy(), rows["score"].to_numpy())
    found = interval(Resamples.draw(groups).apply(groups, statistic))
    assert found.value == 1 and math.isnan(found.low) and math.isnan(found.high)


def test_a_row_with_a_cell_too_many_or_too_few_is_refused_with_its_line(tmp_path: Path) -> None:
    """Read by names alone, a comma within an unquoted text would move every score one column on."""
    path = tmp_path / "x.csv"
    path.write_text('case,side,malignant,a\n007,L,0,0.1\n\n8,L,"1",0.2,0.9\n9,L,0\n')
    with pytest.raises(InputError) as caught:
        read_table(path, COLUMNS.names())
    assert str(caught.value) == f"{path}: 2 lines (4, 5): 3 or 5 cells, but the header has 4"
    path.write_text('case,side,note,malignant,a\n007,L,"a, b",0,0.1\n\n8,L,"two\nlines",1,0.2\n')
    assert read_table(path, COLUMNS.names())["a"].tolist() == ["0.1", "0.2"]


def test_a_key_with_a_space_around_it_is_refused(tmp_path: Path) -> None:
    """It would be a patient of its own."""
    table = frame(case=["007", " 007", "8", "8", "9", "9"], side=["L", "R", "L", "R", "L", "R\t"])
    assert lines(table) == [
        "x.csv: case + side: a key begins or ends with a space: 2 rows (' 007' + 'R', '9' + 'R\\t')",
        "x.csv: case: a key begins or ends with a space: 1 row (' 007')",
    ]
    columns = Columns(**{**vars(COLUMNS), "unit": ["breast"]})
    units = frame(breast=["a", "a ", "b", "b", "c", "c"])
    assert lines(units, columns) == ["x.csv: breast: a key begins or ends with a space: 1 row ('a ')"]


def test_where_exactly_one_class_holds_rows_with_none_or_two_are_reported() -> None:
    table = frame(benign=["1", "1", "1", "0", "", "1"], b=["0.5"] * 6)
    both = {"benign": "b", "malignant": "a"}
    columns = Columns(id=["case", "side"], group=["case"], labels={name: name for name in both}, scores=both)
    with pytest.raises(InputError, match=r"not exactly one label is 1: 2 ids \(007/R, 8/R\)$"):
        check_exclusive(predictions_of(table, columns, "x.csv"), "x.csv")
    table["benign"] = ["1", "0", "1", "1", "", "1"]
    check_exclusive(predictions_of(table, columns, "x.csv"), "x.csv")


def test_what_is_no_table_is_reported_as_such(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_table(path, ["a"])
