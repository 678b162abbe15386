"""Files by their content: those that a component reads besides the data, and the names of a data set's own."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

_SHA256 = re.compile("[0-9a-f]{64}")


def file_facts(key: str, path: str | None) -> dict[str, dict[str, str]]:
    """What a component's facts say of a file that a parameter names: `{"files": {path: sha256}}`.

    Args:
        key: the parameter, named in the error.
        path: as the study has it; None reads no file and says nothing.

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
    """Sixteen hexadecimal digits that tell digests apart.

    Of a SHA-256 its first ones. Any other text is hashed first: `acme-dots-1-400-64` and `acme-dots-1-200-64` begin
    alike, and cut short they would name the same files.
    """
    whole = digest if _SHA256.fullmatch(digest) else hashlib.sha256(digest.encode()).hexdigest()
    return whole[:16]


@lru_cache(64)
def _digest(path: str, changed_ns: int, size: int) -> str:
    """A plan asks several times for one file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
