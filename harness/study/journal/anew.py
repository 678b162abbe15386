"""Variants that a user trains again although their study is the same: code of theirs has changed.

The file holds, by variant, the digests of the code that they were to be trained with. These enter the variants'
identities, so that the earlier trials stay in the journal and no longer count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.contract.errors import MachineError
from harness.study.journal.writing import write_file

Code = Mapping[str, str]
"""Distribution -> digest of its code."""


def read_anew(folder: Path) -> dict[str, Code]:
    """Return the digests by variant; empty without a file.

    Raises:
        MachineError: the file is damaged.
    """
    path = folder / "anew.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise MachineError(f"{path}: cannot be read: {error}") from error


def write_anew(folder: Path, variants: Mapping[str, Code]) -> None:
    """Add variants to the file.

    Raises:
        MachineError: the disk failed.
    """
    text = json.dumps({**read_anew(folder), **variants}, indent=1, sort_keys=True)
    write_file(folder / "anew.json", text.encode())
