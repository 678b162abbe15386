"""Problems whose paths are kept apart from their messages, so that a path can be reported as the user wrote it."""

from __future__ import annotations

from harness.contract.errors import Problems


class Located(Problems):
    """Problems of a tree instead of a file; `located` holds a (path, message) for each.

    `size_mismatches` are those of valid parameters that do not fit the size of the images.
    """

    def __init__(self) -> None:
        super().__init__("")
        self.located: list[tuple[str, str]] = []
        self.size_mismatches: set[tuple[str, str]] = set()

    def add(self, path: str, message: str) -> None:
        """Add a mistake at the dotted `path`."""
        self.located.append((path, message))
        super().add(path, message)
