"""Digests of files that a component reads besides the data, and names of files: from digests, and from any name."""

from __future__ import annotations

import hashlib
import os
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
        return {"files": {path: _digest(str(Path(path).resolve()), stamp_of(Path(path).stat()))}}
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


def plain_name(name: str, allowed: str = r"\w.-", most: int = 100) -> str:
    """Return a name that file systems, addresses and MLflow accept; different names stay different.

    Letters of every language are kept. A name that had to change ends with digits of its digest: `HER2+` is
    `HER2_-4d0c31`, and `HER2-` stays.

    Args:
        name: of a class, an image, a metric.
        allowed: what is kept, as inside the brackets of a regular expression.
        most: length in bytes from which the beginning is cut off; paths differ at their end.
    """
    plain = re.sub(rf"[^{allowed}]", "_", name).encode()[-most:].decode(errors="ignore").strip("/")
    if plain == name and name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:6]}"


def stamp_of(state: os.stat_result) -> tuple[int, int, int, int]:
    """Return length, modification time, change time and inode of a file; its content is the same as long as they are.

    Tools that keep the modification time (rsync, unzip, cp -p) still change one of the others.
    """
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino


@lru_cache(64)
def _digest(path: str, stamp: tuple[int, int, int, int]) -> str:
    """Return the SHA-256 of a file; cached, because a plan needs it several times."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
