"""The errors that users see, each with its exit code.

Any other error is a bug of the harness and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


@dataclass(frozen=True)
class Origin:
    """A component and the distribution that provides it, as errors name them."""

    kind: str
    name: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" + (f" ({self.distribution} {self.version})" if self.distribution else "")


class ContractError(HarnessError):
    """A component that breaks its contract. In a trial it fails that trial, not the study; the message is the reason.

    Args:
        origin: the component.
        got: what it gave, as the rest of a sentence.
        expected: what the contract allows.
        law: the name of the law in `harness.testing` that finds the fault; "" if there is none.
    """

    def __init__(self, origin: Origin, got: str, expected: str, law: str = "") -> None:
        found = f"; the law {law} of harness.testing finds this" if law else ""
        super().__init__(f"{origin} gave {got}, but {expected} is expected{found}")
        self.origin = origin


class NotFiniteError(ContractError):
    """A value that is NaN or infinite. Once a model has learned, it means that the training diverged.

    Args:
        origin: the component.
        what: the value.
        law: as in ContractError.
    """

    def __init__(self, origin: Origin, what: str, law: str = "") -> None:
        super().__init__(origin, f"{what} that is not finite", "a finite number", law)
        self.what = what


@contextmanager
def blamed(called: object) -> Iterator[None]:
    """Mark an error raised inside with the component that was called; the innermost call keeps the mark.

    Args:
        called: an Origin, or what a `Factory` built; anything else marks nothing.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        origin = called if isinstance(called, Origin) else getattr(called, "harness_origin", None)
        if isinstance(origin, Origin) and blamed_for(error) is None:
            error.harness_origin = origin  # type: ignore[union-attr]
        raise


def blamed_for(error: BaseException | None) -> Origin | None:
    """Return the component whose call raised an error or its cause; None if no component was called."""
    while error is not None:
        found = error.origin if isinstance(error, ContractError) else getattr(error, "harness_origin", None)
        if isinstance(found, Origin):
            return found
        error = error.__cause__
    return None


def origin_of(built: object) -> Origin:
    """Return the component that made an object; its class if it was not made by a `Factory`."""
    found = getattr(built, "harness_origin", None)
    return found if isinstance(found, Origin) else Origin("class", type(built).__name__)


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
