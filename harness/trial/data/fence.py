"""Seals over files: opening a sealed file in this process is an error, and is recorded.

A seal prevents mistakes, not malice. Python's `open`, `os.open`, numpy, Pillow, pydicom, tifffile and `torch.load`
raise the audit event that it listens to; a library that opens files in its own C code does not.
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
    """An attempt of a stage to open a file that is closed to it: masks, or the test split."""


@dataclass(frozen=True)
class Seal:
    """Files and folders that must stay closed. `Seal.of` makes one, `sealed` holds it.

    Args:
        paths: real paths; a folder includes everything in it.
        broken: files that were opened nevertheless, even if the caller suppressed the error.
    """

    paths: frozenset[str]
    broken: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Seal:
        """Return a seal over these paths, with symbolic links resolved."""
        return cls(frozenset(os.path.realpath(path) for path in paths))

    def covers(self, path: str) -> bool:
        """Return True if the real path or a folder above it is sealed."""
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
    """Hold a seal over all threads of this process until the block ends.

    Raises:
        SealedFile: inside the block when a sealed file is opened, and again at its end if that error was
            suppressed.
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
            sys.addaudithook(_watch)  # cannot be removed, but does nothing while no seal is held
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
