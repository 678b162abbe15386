"""Digests of files that a component reads besides the data, and file names from a data set's digest."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

_SHA256 = re.compile("[0-9a-f]{64}")


def file_facts(key: str, path: str | None) -> dict[str, dict[str, str]]:
    """Return the facts of a file that a parameter names: `{"files": {path: sha256}}`.

    Args:
        key: the parameter, named in the error.
        path: as written in the study; None gives no facts.

    Raises:
        ValueError: there is no such file, or it cannot be read.
    """
    if path is None:
        return {}
    try:
        facts = Path(path).stat()
        return {"files": {path: _digest(str(Path(path).resolve()), facts.st_mtime_ns, facts.st_size)}}
    except FileNotFoundError as error:
        raise ValueError(f"{key} = {path!r}: there is no such file.") from error
    except OSError as error:
        raise ValueError(f"{key} = {path!r}: cannot be read: {error.strerror}") from error


def file_name(digest: str) -> str:
    """Return sixteen hexadecimal digits for a digest.

    These are the first digits of a SHA-256. Any other text is hashed first, because texts such as
    `acme-dots-1-400-64` and `acme-dots-1-200-64` may share a prefix.
    """
    whole = digest if _SHA256.fullmatch(digest) else hashlib.sha256(digest.encode()).hexdigest()
    return whole[:16]


@lru_cache(64)
def _digest(path: str, changed_ns: int, size: int) -> str:
    """Return the SHA-256 of a file; cached, because a plan needs it several times."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
