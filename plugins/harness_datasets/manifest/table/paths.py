"""Paths of a table: below the data root, and found in the spelling that the file system has."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path


def inside(root: Path, folder: Path, value: str) -> Path | None:
    """Return `value` relative to `folder`, or None if that would leave `root`. An absolute path may lie below it.

    By the letters of the path: a link that the user put below the root may lead where it likes.
    """
    if not value or "\0" in value:
        return None
    if Path(value).is_absolute():
        return _below(root, Path(os.path.normpath(value)))
    parts: list[str] = []
    for part in (*folder.relative_to(root).parts, *Path(value).parts):
        if part == ".." and not parts:
            return None
        parts = parts[:-1] if part == ".." else [*parts, part]
    return root.joinpath(*parts)


def _below(root: Path, path: Path) -> Path | None:
    for base in (Path(os.path.normpath(root.absolute())), root.resolve()):
        if path.is_relative_to(base):
            return root / path.relative_to(base)
    return None


class Files:
    """The files below a root; each folder is listed once.

    Args:
        root: of all paths.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[tuple[Path, Callable[[str], str]], dict[str, str]] = {}

    def find(self, folder: Path, value: str) -> Path | None:
        r"""Return the path inside the root that `value` names, also with `\` for `/` or in another Unicode form.

        Where no such file exists, it is the path as it is written; None if that leaves the root.
        """
        written = inside(self._root, folder, value)
        if written is not None and os.path.lexists(written):
            return written
        if "\\" in value:
            with_slashes = inside(self._root, folder, value.replace("\\", "/"))
            written = written if with_slashes is None else with_slashes
        return written and (self._alike(written, _composed) or written)

    def absence(self, path: Path) -> str:
        """Return a message about a missing file; it names the file that differs in upper and lower case alone."""
        there = self._alike(path, _folded)
        instead = f"; there is {there.relative_to(self._root)}" if there else ""
        return f"no such file: {path.relative_to(self._root)}{instead}"

    def _alike(self, path: Path, key: Callable[[str], str]) -> Path | None:
        here = self._root
        for part in path.relative_to(self._root).parts:
            name = part if os.path.lexists(here / part) else self._listed(here, key).get(key(part))
            if name is None:
                return None
            here /= name
        return here

    def _listed(self, folder: Path, key: Callable[[str], str]) -> dict[str, str]:
        if (folder, key) not in self._names:
            try:
                self._names[folder, key] = {key(name): name for name in os.listdir(folder)}
            except OSError:
                self._names[folder, key] = {}
        return self._names[folder, key]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(name).casefold()
