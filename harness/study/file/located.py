"""Mistakes with their paths kept apart from their messages, so that a path can be told as the user wrote it."""

from __future__ import annotations

from harness.contract.errors import Problems


class Located(Problems):
    """Problems of a tree rather than of a file; `located` holds a (path, message) for each.

    Those in `size_mismatches` are of sound parameters that do not fit the size of the data's images.
    """

    def __init__(self) -> None:
        super().__init__("")
        self.located: list[tuple[str, str]] = []
        self.size_mismatches: set[tuple[str, str]] = set()

    def add(self, path: str, message: str) -> None:
        """Notes a mistake at the dotted `path`."""
        self.located.append((path, message))
        super().add(path, message)
