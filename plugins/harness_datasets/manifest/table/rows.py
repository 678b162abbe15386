"""Reading of a table's rows from CSV or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import InputError, nearest


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    """Return column names, and each row with its number: the line of a CSV file, from 1 in Parquet.

    Raises:
        InputError: the file is missing, empty or no table.
    """
    try:
        columns, rows = _read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path)
    except FileNotFoundError as error:
        siblings = [other.name for other in path.parent.glob("*.*")] if path.parent.is_dir() else []
        raise InputError(f"{path}: no such file{nearest(path.name, siblings)}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: is no UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8"
        ) from error
    except (OSError, csv.Error, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a table: {error}") from error
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and sign in columns[0]:
            raise InputError(f"{path}: its cells are separated by {name}, and commas are expected")
    if not rows:
        raise InputError(f"{path}: has no rows")
    return columns, rows


def _read_csv(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        names = next(reader, [])
        if len(set(names)) < len(names):
            raise ValueError(f"a column name is used twice in {', '.join(names)}")
        rows: list[tuple[int, Mapping[str, Any]]] = []
        for cells in filter(None, reader):
            if len(cells) != len(names):
                raise ValueError(f"row {reader.line_num} has {len(cells)} cells, the header {len(names)}")
            rows.append((reader.line_num, dict(zip(names, cells, strict=True))))
    return names, rows


def _read_parquet(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    return list(table.column_names), list(enumerate(table.to_pylist(), start=1))
