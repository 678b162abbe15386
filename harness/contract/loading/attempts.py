"""A record of each import of a stranger's plugin, so that one which ends the process is known to the next command.

The name is written before an import and removed after it. While the import lasts the file is locked: an unlocked one
was left by a process that ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from harness.contract.provider import Provider


class Attempts:
    """The records of one Python installation.

    Args:
        folder: of the records; None for the user's state folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _state_folder()

    def ended(self) -> list[Provider]:
        """Return the plugins whose import ended its process; empty where records cannot be read."""
        found = []
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            with suppress(OSError, ValueError, TypeError), path.open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                found.append(Provider(**json.load(file)))
        return list(dict.fromkeys(found))

    @contextmanager
    def attempt(self, provider: Provider) -> Iterator[None]:
        """Record that a plugin is imported during the block; a folder that cannot be written records nothing."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{_digest(str(provider))}-{os.getpid()}.json"
            file = path.open("w")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield
            return
        with file:
            json.dump(asdict(provider), file)
            file.flush()
            try:
                yield
            finally:
                self.forget(provider)

    def forget(self, provider: Provider) -> None:
        """Remove the records of a plugin that no other process imports now."""
        own = f"{_digest(str(provider))}-{os.getpid()}.json"
        for path in self._folder.glob(f"{_digest(str(provider))}-*.json"):
            with suppress(OSError), path.open() as file:
                if path.name != own:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _state_folder() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "harness" / "imports" / _digest(sys.prefix)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
