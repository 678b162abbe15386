"""Derived tables in the folder of a run: computed once, read in milliseconds by every later command.

A table is named by everything it was computed from; what no longer fits is computed anew and replaced. Not a
store of results: removing the folder costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contract import tables
from harness.contract.errors import MachineError
from harness.metrics import functional
from harness.study.journal.writing import remove_file, write_file

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "tables"


def cached(folder: Path, name: str, facts: Mapping[str, Any], compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The table that `compute` gives, read from `folder/tables/` where the same facts made it before.

    Args:
        folder: of the study's run.
        name: of the table; older ones of that name are removed.
        facts: all that the table depends on, as JSON holds it: trials, resamples, seed. The code of
            metrics, statistics and tables is added, so that a mended statistic is never shown from before.
        compute: makes the table; its index is not kept.
    """
    whole = {"facts": facts, "code": _code()}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
    path = folder / FOLDER / f"{name}-{digest[:16]}.parquet"
    if path.exists():
        return tables.from_bytes(path.read_bytes())
    table = compute()
    old = {*path.parent.glob(f"{name}-{'[0-9a-f]' * 16}.parquet")} - {path}  # another process may write the same
    with suppress(MachineError):  # results that may only be read are shown all the same, and computed again next time
        write_file(path, tables.to_bytes(table, name))
        for other in old:
            remove_file(other)
    return table


def _code() -> str:
    """Return a digest of the modules that compute tables."""
    root = Path(functional.__file__).parents[1]
    digest = hashlib.sha256()
    for package in ("metrics", "statistics", "tables"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
