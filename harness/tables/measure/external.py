"""A table of predictions made elsewhere: read, checked, and brought into the form that confirmed models leave."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.errors import InputError
from harness.contract.tables import OWN_HEAD, PREDICTIONS
from harness.contract.types import Sample

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "val", "test")
"""What a `split` column may say; rows of train are not read."""
SEPARATOR = "/"
"""Between the parts of an id that several columns make up: 92/L."""
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which column of a table is what.

    Args:
        id: one or more columns that name a row together.
        scores: class -> column.
        labels: class -> column; empty where a data set has the labels.
        group: columns that name the patient; empty where a data set knows.
        unit: columns that name what is diagnosed; empty: the row itself.
        split: the column of splits; "" where every row is a test row.
    """

    id: Sequence[str]
    scores: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    group: Sequence[str] = ()
    unit: Sequence[str] = ()
    split: str = ""

    def names(self) -> list[str]:
        """Every column, each once."""
        split = [self.split] if self.split else []
        listed = [*self.id, *self.group, *self.unit, *split, *self.labels.values(), *self.scores.values()]
        return list(dict.fromkeys(listed))


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """These columns of a CSV or Parquet file, every value as the text that the file has.

    An id of 007 stays 007; what is no number is told by `predictions_of` with its row.

    Raises:
        InputError: the file cannot be read, a column is missing, or a row of a CSV file has more or fewer cells
            than the header: its values would stand in other columns than they were written for.
    """
    import pandas as pd

    wanted = list(dict.fromkeys(columns))
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path, columns=wanted)
            return frame.astype(object).where(frame.notna(), "").map(_text)
        _check_cells(path)
        return pd.read_csv(path, usecols=wanted, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table: {str(error).splitlines()[0]}") from error


def _check_cells(path: Path) -> None:
    """Sees that every row of a CSV file has a cell for each column; names lines as a text editor counts them."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        wanted, counts = len(next(reader, [])), dict[str, int]()
        for cells in filter(None, reader):
            if len(cells) != wanted:
                counts[str(reader.line_num)] = len(cells)
    if counts:
        found = " or ".join(map(str, sorted(set(counts.values()))))
        raise InputError(f"{path}: {_few(list(counts), 'line')}: {found} cells, but the header has {wanted}")


def predictions_of(frame: pd.DataFrame, columns: Columns, where: str) -> pd.DataFrame:
    """The rows of val and test as a predictions table, without study, variant, seed and fold.

    Args:
        frame: as `read_table` gives it.
        columns: which of its columns is what; `labels` may be empty, the labels are then unknown.
        where: the file, for messages.

    Raises:
        InputError: every mistake of the table: ids empty or twice, a score or label that is none, a
            group that straddles splits, a class that has only one label. Names columns and rows.
    """
    mistakes = _Mistakes(where)
    if not len(frame):
        raise InputError(f"{where}: the table has no rows")
    ids = _joined(frame, columns.id)
    splits = frame[columns.split].to_numpy(dtype=str) if columns.split else np.full(len(frame), "test")
    groups = _joined(frame, columns.group) if columns.group else ids
    mistakes.rows(ids, _empty(frame, columns.id), f"{_named(columns.id)}: an id is empty")
    mistakes.rows(ids, _empty(frame, columns.group), f"{_named(columns.group)}: a group is empty")
    for key in filter(None, (columns.id, columns.group, columns.unit)):
        padded = _padded(frame, key)
        named = [" + ".join(map(repr, row)) for row in frame.loc[padded, list(key)].itertuples(index=False, name=None)]
        mistakes.rows(named, np.ones(len(named), bool), f"{_named(key)}: a key begins or ends with a space", "row")
    mistakes.rows(ids, ~np.isin(splits, SPLITS), f"{columns.split}: a split is none of {', '.join(SPLITS)}")
    mistakes.rows(ids, _repeated(ids), f"{_named(columns.id)}: an id stands there twice")
    straddling = _straddling(groups, splits)
    mistakes.rows(groups, np.isin(groups, straddling), f"{_named(columns.group)}: a group is in two splits", "group")
    units = _joined(frame, columns.unit) if columns.unit else ids
    parts = [
        _class_rows(frame, columns, name, mistakes, {"split": splits, "id": ids, "unit": units, "group": groups})
        for name in columns.scores
    ]
    mistakes.raise_if_any()
    if not (splits == "test").any():
        raise InputError(f"{where}: {columns.split}: no row is of split test")
    return _long(parts)


def with_samples(
    predictions: pd.DataFrame, splits: Mapping[str, Sequence[Sample]], classes: Sequence[str], where: str
) -> pd.DataFrame:
    """The same rows with label, unit and group of a data set's samples.

    Args:
        predictions: as `predictions_of` gives it.
        splits: the data set's, `val` and `test`; of val all or none may be in the table.
        classes: the data set's, in the order of the samples' labels.
        where: the file, for messages.

    Raises:
        InputError: ids are missing or too many, a class is missing, or a known label is another one.
    """
    missing = [name for name in classes if name not in set(predictions["class"])]
    if missing:
        raise InputError(f"{where}: no scores of the class {', '.join(missing)}, which the data set has")
    found = predictions.copy()
    for split, samples in splits.items():
        own = found["split"] == split
        if split == "test" or own.any():
            _check_ids(found.loc[own, "id"], [sample.id for sample in samples], f"{where}: {split}", "the data set")
    known = {(split, sample.id): sample for split, samples in splits.items() for sample in samples}
    place = {name: k for k, name in enumerate(classes)}
    own_samples = [known[key] for key in zip(found["split"], found["id"], strict=True)]
    labels = np.array([s.labels[place[name]] for s, name in zip(own_samples, found["class"], strict=True)], float)
    stated = found["label"].to_numpy(float)
    other = ~np.isnan(stated) & ~np.isnan(labels) & (stated != labels)
    mistakes = _Mistakes(where)
    mistakes.rows(found["id"].to_numpy(), other, "a label is another one than the data set's")
    mistakes.raise_if_any()
    units, groups = [sample.unit for sample in own_samples], [sample.group for sample in own_samples]
    return found.assign(label=labels, unit=units, group=groups)


def check_alike(predictions: pd.DataFrame, first: pd.DataFrame, where: str, first_where: str) -> None:
    """Sees that two systems were tested on the same rows: same ids, classes, labels, groups and units.

    Raises:
        InputError: says which ids only one of them has, and how many; or how many labels, groups or units differ.
    """
    tested = [table[table["split"] == "test"] for table in (predictions, first)]
    classes = [list(dict.fromkeys(table["class"])) for table in tested]
    if set(classes[0]) != set(classes[1]):
        raise InputError(f"{where}: scores {', '.join(classes[0])}, but {first_where} {', '.join(classes[1])}")
    _check_ids(tested[0]["id"].unique(), tested[1]["id"].unique(), f"{where}: test", first_where)
    keyed = [table.set_index(["id", "class"]).sort_index() for table in tested]
    for column in ("label", "group", "unit"):
        mine, theirs = (table[column] for table in keyed)
        differs = ~((mine == theirs) | (mine.isna() & theirs.isna())).to_numpy(dtype=bool)
        mistakes = _Mistakes(where)
        ids = mine.index.get_level_values("id").to_numpy()
        mistakes.rows(ids, differs, f"a {column} is another one than in {first_where}")
        mistakes.raise_if_any()


def check_exclusive(predictions: pd.DataFrame, where: str) -> None:
    """Sees that exactly one class holds in each row of the table whose labels are all known.

    Raises:
        InputError: names the rows in which none holds, or several.
    """
    held = predictions.groupby("id", sort=False)["label"].sum(min_count=1)
    known = predictions.groupby("id", sort=False)["label"].count() == predictions["class"].nunique()
    mistakes = _Mistakes(where)
    message = 'kind = "multiclass": not exactly one label is 1'
    mistakes.rows(held.index.to_numpy(), (known & (held != 1)).to_numpy(dtype=bool), message)
    mistakes.raise_if_any()


class _Mistakes:
    """Collects what is wrong with a table, a line for each kind, with the first rows that are wrong."""

    def __init__(self, where: str) -> None:
        self._where, self._lines = where, list[str]()

    def rows(self, names: Any, wrong: Any, message: str, what: str = "id") -> None:
        """Notes the rows in which `wrong` is true under their names."""
        found = list(dict.fromkeys(str(name) for name in np.asarray(names, dtype=object)[wrong]))
        if found:
            self._lines.append(f"{self._where}: {message}: {_few(found, what)}")

    def add(self, message: str) -> None:
        """Notes a mistake of the whole table."""
        self._lines.append(f"{self._where}: {message}")

    def raise_if_any(self) -> None:
        """Raises one InputError with every line."""
        if self._lines:
            raise InputError("\n".join(self._lines))


def _class_rows(
    frame: pd.DataFrame, columns: Columns, name: str, mistakes: _Mistakes, keys: Mapping[str, Any]
) -> dict[str, Any]:
    column = columns.scores[name]
    scores, label_column = _numbers(frame[column]), columns.labels.get(name)
    mistakes.rows(keys["id"], ~np.isfinite(scores), f"{column}: a score is no finite number")
    labels = np.full(len(frame), math.nan)
    if label_column is not None:
        labels = _numbers(frame[label_column])
        blank = (frame[label_column] == "").to_numpy(dtype=bool)
        mistakes.rows(keys["id"], ~np.isin(labels, (0, 1)) & ~blank, f"{label_column}: a label is not 0, 1 or empty")
        tested = set(labels[(keys["split"] == "test") & np.isin(labels, (0, 1))])
        if len(tested) < 2:
            only = "no label is known" if not tested else f"every known label is {tested.pop():.0f}"
            mistakes.add(f"{label_column}: {only} on the test rows: {name!r} has no ROC curve")
    return {**keys, "class": name, "label": labels, "score": scores}


def _long(parts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)
    frame = frame[frame["split"] != "train"].assign(head=OWN_HEAD)
    return frame[[name for name in PREDICTIONS if name in frame]].reset_index(drop=True)


def _check_ids(mine: Iterable[str], theirs: Iterable[str], where: str, other: str) -> None:
    own, wanted = dict.fromkeys(mine), dict.fromkeys(theirs)
    missing, extra = [name for name in wanted if name not in own], [name for name in own if name not in wanted]
    if missing or extra:
        parts = [f"lacks {_few(missing, 'id')}"] * bool(missing) + [f"has {_few(extra, 'id')} too many"] * bool(extra)
        raise InputError(f"{where}: not the rows of {other} ({len(wanted)}): {'; '.join(parts)}")


def _few(names: Sequence[str], what: str) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{len(names):,} {what}{'s' if len(names) > 1 else ''} ({', '.join(names[:_SHOWN])}{more})"


def _joined(frame: pd.DataFrame, columns: Sequence[str]) -> Any:
    parts = [frame[column].to_numpy(dtype=object) for column in columns]
    return np.array([SEPARATOR.join(map(str, row)) for row in zip(*parts, strict=True)], dtype=object)


def _empty(frame: pd.DataFrame, columns: Sequence[str]) -> Any:
    found = np.zeros(len(frame), bool)
    for column in columns:
        found |= (frame[column] == "").to_numpy(dtype=bool)
    return found


def _padded(frame: pd.DataFrame, columns: Sequence[str]) -> Any:
    """Of which rows a key would be another one without the spaces around it: " 007" is not "007"."""
    found = np.zeros(len(frame), bool)
    for column in columns:
        found |= np.array([str(value) != str(value).strip() for value in frame[column]], dtype=bool)
    return found


def _repeated(ids: Any) -> Any:
    values, counts = np.unique(ids.astype(str), return_counts=True)
    return np.isin(ids.astype(str), values[counts > 1])


def _straddling(groups: Any, splits: Any) -> list[str]:
    seen: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        seen.setdefault(group, set()).add(str(split))
    return [group for group, found in seen.items() if len(found) > 1]


def _numbers(column: pd.Series[Any]) -> Any:
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)


def _named(columns: Sequence[str]) -> str:
    return " + ".join(columns)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a Parquet column of ints with gaps arrives as floats
    return str(int(value)) if isinstance(value, bool | np.bool_) else str(value)
