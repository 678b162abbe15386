"""Closes files to this process: opening one while they are sealed is an error, and is remembered.

It stops mistakes, not malice: Python's `open`, `os.open`, numpy, Pillow, pydicom, tifffile and `torch.load`
all raise the audit event it listens to; a library that opens files in C of its own does not.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contract.errors import HarnessError


class SealedFile(HarnessError):
    """A stage tried to open a file it may not see: masks, or the test split."""


@dataclass(frozen=True)
class Seal:
    """Files and folders that must stay closed. Make one with `Seal.of`, hold it with `sealed`.

    Args:
        paths: real paths; a folder stands for all that is in it.
        broken: what was opened in spite of it, whether or not the culprit swallowed the error.
    """

    paths: frozenset[str]
    broken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Seal:
        """A seal over these paths, symbolic links followed."""
        return cls(frozenset(os.path.realpath(path) for path in paths))

    def covers(self, path: str) -> bool:
        """Whether the real path is sealed, itself or by a folder above it."""
        while path not in self.paths:
            above = os.path.dirname(path)
            if above == path:
                return False
            path = above
        return True


_held: list[Seal] = []
_installed = False
_lock = threading.Lock()


@contextmanager
def sealed(seal: Seal | Iterable[Path]) -> Iterator[Seal]:
    """Holds a seal over this process, all of its threads included, until the block ends.

    Raises:
        SealedFile: inside the block, by whatever opens a sealed file; and once more at its end,
            should that error have been swallowed.
    """
    seal = seal if isinstance(seal, Seal) else Seal.of(seal)
    _install()
    _held.append(seal)
    try:
        yield seal
    finally:
        del _held[max(index for index, held in enumerate(_held) if held is seal)]
    if seal.broken:
        raise SealedFile(f"{seal.broken[0]}: opened while it was sealed")


def _install() -> None:
    global _installed
    with _lock:
        if not _installed:
            sys.addaudithook(_watch)  # cannot be removed: it does nothing while no seal is held
            _installed = True


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _held:
        return
    path = arguments[0]
    if not isinstance(path, str | bytes | os.PathLike):
        return  # a descriptor that is open already
    real = os.path.realpath(os.fsdecode(path))
    for seal in list(_held):
        if seal.covers(real):
            seal.broken.append(real)
            raise SealedFile(f"{real}: masks and the test split are closed at this stage")
