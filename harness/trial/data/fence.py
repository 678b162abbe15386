"""Seals over files: opening a sealed file in this process is an error, and is recorded.

A sealed file cannot be linked or renamed either, nor named in the arguments of a new process.

A seal prevents mistakes, not malice. Python's `open`, `os.open`, numpy, Pillow, pydicom, tifffile and `torch.load`
raise the audit event that it listens to; a library that opens files in its own C code does not. What it misses is
listed in docs/design.md.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.contract.errors import HarnessError


class SealedFile(HarnessError):
    """An attempt of a stage to read a file that is closed to it: masks, labels, or the test split."""


@dataclass(frozen=True)
class Seal:
    """Files and folders that must stay closed. `Seal.of` makes one, `sealed` holds it.

    Args:
        paths: real paths; a folder includes everything in it.
        broken: files that a stage tried to read, even if the caller suppressed the error.
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

    def holds(self, folder: str) -> bool:
        """Return True if a sealed path is inside this folder, at any depth."""
        return any(path.startswith(folder.rstrip(os.sep) + os.sep) for path in self.paths)

    def named_by(self, word: str, folder: str) -> bool:
        """Return True if a word of a command, run in `folder`, is a sealed path, its folder, or a pattern of one."""
        path = os.path.join(folder, os.path.expanduser(word))
        above = os.path.realpath(os.path.dirname(path))
        if any(sign in word for sign in "*?["):
            pattern = os.path.join(above, os.path.basename(path))
            return self.covers(above) or any(fnmatchcase(sealed, pattern) for sealed in self.paths)
        real = os.path.realpath(path)
        return self.covers(real) or (os.sep in word and real in self._folders)

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(os.path.dirname(path) for path in self.paths)


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
        raise SealedFile(f"{seal.broken[0]}: used while it was sealed")


def _install() -> None:
    global _installed
    with _lock:
        if not _installed:
            sys.addaudithook(_watch)  # cannot be removed, but does nothing while no seal is held
            _installed = True


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _held:
        return
    if event == "open":
        _refuse_paths(arguments[:1], "opened", whole=False)
    elif event in ("os.link", "os.rename", "os.symlink"):
        _refuse_paths(arguments[:2], "linked or renamed", whole=True)
    elif event in _PROCESSES:
        _refuse_words(event, arguments)


_PROCESSES = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"})
_BETWEEN = re.compile(r"[\s'\"`=:;,<>|&(){}$]+")
"""The signs between the words of a command, of a shell or of a script in an argument."""


def _refuse_paths(paths: Iterable[Any], done: str, *, whole: bool) -> None:
    """Refuse sealed paths; `whole` refuses folders with sealed paths inside as well."""
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):  # else a descriptor that is open already
            real = os.path.realpath(os.fsdecode(path))
            for seal in list(_held):
                if seal.covers(real) or (whole and seal.holds(real)):
                    _refuse(seal, real, done)


def _refuse_words(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse a new process with a sealed path among its arguments; its environment and input are not read."""
    folder = ""
    if event == "subprocess.Popen":
        arguments, folder = arguments[:2], os.fsdecode(arguments[2] or "")
    for text in _texts(arguments):
        for word in {text, *_BETWEEN.split(text)} - {""}:
            for seal in list(_held):
                if seal.named_by(word, os.path.abspath(folder)):
                    _refuse(seal, word, "given to another process")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | bytes | os.PathLike):
        yield os.fsdecode(value)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _refuse(seal: Seal, path: str, done: str) -> None:
    seal.broken.append(path)
    raise SealedFile(f"{path}: masks, labels and the test split are closed at this stage, and may not be {done}")
