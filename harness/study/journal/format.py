"""The format of plan.json and journal.jsonl: a number that rises when what they hold changes.

Every format that a release wrote stays readable, from 2 (harness 0.2) on; each has a fixture in the tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.contract.errors import InputError

FORMAT = 2
"""The format that is written. 0.1 wrote none."""


def check_format(found: Any, path: Path) -> None:
    """Check the format number of a file.

    Args:
        found: the number that the file states, None if it states none.
        path: the file, named in the error.

    Raises:
        InputError: harness 0.1 or a newer harness wrote the file.
    """
    if found is None:
        raise InputError(f"{path}: harness 0.1 wrote these results, which this one does not read; run the study again")
    if not isinstance(found, int) or not 2 <= found <= FORMAT:
        raise InputError(f"{path}: has format {found!r}, which a newer harness wrote; this one reads up to {FORMAT}")
