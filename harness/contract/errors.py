"""The errors that users see, each with its exit code.

Any other error is a bug of the harness and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


class HarnessError(Exception):
    """A failure that is shown to the user in one panel."""

    exit_code = 1


class InputError(HarnessError):
    """A mistake in the user's input: a study file, a manifest, a flag."""

    exit_code = 2


class MachineError(HarnessError):
    """A failure of the machine: a full disk, a database or server that cannot be reached. Resumable."""

    exit_code = 3


class Interrupted(HarnessError):
    """A run that the user or a time limit stopped. Resumable."""

    exit_code = 130


class SizeMismatchError(ValueError):
    """Valid parameters that do not fit images of this size; raised by `facts`.

    A variant is skipped if the data were replaced by `--set` or a budget. If the file states both, it is a mistake.
    """


@dataclass
class Problems:
    """Collector of the mistakes of one file, which are reported together.

    Args:
        where: the file, written before each message.
    """

    where: str
    messages: list[str] = field(default_factory=list)

    def add(self, path: str, message: str) -> None:
        """Add a mistake at the dotted `path` inside the file."""
        self.messages.append(": ".join(part for part in (self.where, path, message) if part))

    def __bool__(self) -> bool:
        return bool(self.messages)

    def raise_if_any(self) -> None:
        """Raise one InputError with all messages, in the order they were found."""
        if self.messages:
            raise self.error()

    def error(self) -> InputError:
        """Return one InputError with all messages, in the order they were found."""
        return InputError("\n".join(dict.fromkeys(self.messages)))


RENAMED = {
    "evidence": "saliency",
    "label_floor": "label_control",
    "run": "select",
    "stopper": "pruner",
    "system": "architecture",
    "systems": "external",
}
"""Name of harness 0.1 in a study file, `--set` or a plugin -> its present name."""


def nearest(name: str, options: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the closest option, or an empty text if none is close.

    A name of harness 0.1 gets its present name: `; it is called 'x' now`.
    """
    options = list(options)
    if (now := RENAMED.get(name)) in options:
        return f"; it is called {now!r} now"
    found = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def nearest_or_all(name: str, options: Iterable[str]) -> str:
    """Return the text of `nearest`, or ` (there are: a, b)` if no option is close."""
    known = sorted(options)
    return nearest(name, known) or f" (there are: {', '.join(known) or 'none'})"
