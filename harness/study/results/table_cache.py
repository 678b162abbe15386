"""Derived tables in the folder of a run: computed once, then read by every later command.

The name of a table contains a digest of everything it was computed from; an outdated table is replaced. Not a store
of results: the folder can be removed, and the tables are computed again.
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
    """Return the table of `compute`, read from `folder/tables/` if it was computed from the same facts before.

    Args:
        folder: of the study's run.
        name: of the table; older ones of that name are removed.
        facts: all that the table depends on, as JSON holds it: trials, resamples, seed. The code of metrics, statistics
            and tables is added, so that a corrected statistic is never shown from an old table.
        compute: returns the table; its index is not kept.
    """
    whole = {"facts": facts, "code": _code()}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
    path = folder / FOLDER / f"{name}-{digest[:16]}.parquet"
    if path.exists():
        return tables.from_bytes(path.read_bytes())
    table = compute()
    old = {*path.parent.glob(f"{name}-{'[0-9a-f]' * 16}.parquet")} - {path}  # another process may write the same
    with suppress(MachineError):  # read-only results are shown as well, and computed again next time
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
