"""External predictions: a table is read, checked and converted to the form of the predictions of confirmed models."""

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
"""Allowed values of a `split` column; rows of train are not read."""
SEPARATOR = "/"
"""Separator of the parts of an id of several columns: 92/L."""
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The roles of the columns of a table.

    Args:
        id: one or more columns that name a row together.
        scores: class -> column.
        labels: class -> column; empty if the labels are those of a data set.
        group: columns that name the patient; empty if a data set has them.
        unit: columns that name the unit of diagnosis; empty: the row itself.
        split: the column of splits; "" if every row is a test row.
    """

    id: Sequence[str]
    scores: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    group: Sequence[str] = ()
    unit: Sequence[str] = ()
    split: str = ""

    def names(self) -> list[str]:
        """Return every column once."""
        split = [self.split] if self.split else []
        listed = [*self.id, *self.group, *self.unit, *split, *self.labels.values(), *self.scores.values()]
        return list(dict.fromkeys(listed))


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Return these columns of a CSV or Parquet file, every value as its text in the file.

    An id of 007 stays 007. `predictions_of` reports values that are no numbers, with their rows.

    Raises:
        InputError: the file cannot be read, a column is missing, or a row of a CSV file has more or fewer cells
            than the header, so that its values would be in the wrong columns.
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
    """Check that every row of a CSV file has a cell for each column; lines are counted as in a text editor."""
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
    """Return the rows of val and test as a predictions table, without study, variant, seed and fold.

    Args:
        frame: result of `read_table`.
        columns: the roles of its columns; without `labels` the labels are unknown.
        where: the file, for messages.

    Raises:
        InputError: all mistakes of the table: empty or repeated ids, invalid scores or labels, a group in two splits,
            a class with only one label. The message names columns and rows.
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
    mistakes.rows(ids, _repeated(ids), f"{_named(columns.id)}: an id occurs twice")
    straddling = _straddling(groups, splits)
    mistakes.rows(groups, np.isin(groups, straddling), f"{_named(columns.group)}: a group is in two splits", "group")
    units = _joined(frame, columns.unit) if columns.unit else ids
    parts = [
        _class_rows(frame, columns, name, mistakes, {"split": splits, "id": ids, "unit": units, "group": groups})
        for name in columns.scores
    ]
    mistakes.raise_if_any()
    if not (splits == "test").any():
        raise InputError(f"{where}: {columns.split}: no row has the split test")
    return _long(parts)


def with_samples(
    predictions: pd.DataFrame, splits: Mapping[str, Sequence[Sample]], classes: Sequence[str], where: str
) -> pd.DataFrame:
    """Return the same rows with label, unit and group of a data set's samples.

    Args:
        predictions: result of `predictions_of`.
        splits: of the data set, `val` and `test`; the table may have all of val or none.
        classes: of the data set, in the order of the samples' labels.
        where: the file, for messages.

    Raises:
        InputError: ids are missing or unknown, a class is missing, or a known label differs.
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
    mistakes.rows(found["id"].to_numpy(), other, "a label differs from that of the data set")
    mistakes.raise_if_any()
    units, groups = [sample.unit for sample in own_samples], [sample.group for sample in own_samples]
    return found.assign(label=labels, unit=units, group=groups)


def check_alike(predictions: pd.DataFrame, first: pd.DataFrame, where: str, first_where: str) -> None:
    """Check that two tables were tested on the same rows: same ids, classes, labels, groups and units.

    Raises:
        InputError: names the ids that only one of them has, or counts the labels, groups or units that differ.
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
        mistakes.rows(ids, differs, f"a {column} differs from that in {first_where}")
        mistakes.raise_if_any()


def check_exclusive(predictions: pd.DataFrame, where: str) -> None:
    """Check that each row of the table whose labels are all known has exactly one class.

    Raises:
        InputError: names the rows with no class or with several.
    """
    held = predictions.groupby("id", sort=False)["label"].sum(min_count=1)
    known = predictions.groupby("id", sort=False)["label"].count() == predictions["class"].nunique()
    mistakes = _Mistakes(where)
    message = 'kind = "multiclass": not exactly one label is 1'
    mistakes.rows(held.index.to_numpy(), (known & (held != 1)).to_numpy(dtype=bool), message)
    mistakes.raise_if_any()


class _Mistakes:
    """The mistakes of a table, a line for each kind, with its first rows."""

    def __init__(self, where: str) -> None:
        self._where, self._lines = where, list[str]()

    def rows(self, names: Any, wrong: Any, message: str, what: str = "id") -> None:
        """Add the names of the rows in which `wrong` is true."""
        found = list(dict.fromkeys(str(name) for name in np.asarray(names, dtype=object)[wrong]))
        if found:
            self._lines.append(f"{self._where}: {message}: {_few(found, what)}")

    def add(self, message: str) -> None:
        """Add a mistake of the whole table."""
        self._lines.append(f"{self._where}: {message}")

    def raise_if_any(self) -> None:
        """Raise one InputError with all lines, if there are any."""
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
    """Return True for rows whose key has spaces around it: " 007" is not "007"."""
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
