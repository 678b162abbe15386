"""URLs of databases, as SQLAlchemy writes them."""

from __future__ import annotations

from pathlib import Path


def sqlite_file(uri: str) -> Path | None:
    """Return the file of an SQLite database, without the options of its URI; None if the URL names no file."""
    scheme, _, rest = uri.partition(":///")
    place = rest.partition("?")[0].removeprefix("file:")
    if scheme.partition("+")[0] != "sqlite" or place in ("", ":memory:"):
        return None
    return Path(place)
