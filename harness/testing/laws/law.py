"""A law and the outcome of trying it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from harness.testing.laws.subject import Subject

Verdict = Literal["pass", "fail", "xfail", "skipped"]
_PREFIX = "Check that "


class SkipLaw(Exception):
    """Raised inside a law that cannot be tried on this component; the message is the reason."""


@dataclass(frozen=True)
class Law:
    """A property that every component of a kind has.

    Args:
        name: as in `Component.xfail`.
        statement: the property, in one line.
        mend: what to change in a component that breaks it.
        run: called with the component; raises AssertionError with what was seen, and `SkipLaw` with a reason.
        applies: returns False for components that the law does not speak of.
        trains: True if it trains a model or runs whole trials, which takes seconds.
    """

    name: str
    statement: str
    mend: str
    run: Callable[[Subject], None]
    applies: Callable[[Subject], bool]
    trains: bool = False


@dataclass(frozen=True)
class Finding:
    """The outcome of one law for one component.

    Args:
        law: the law.
        verdict: "xfail" is a failure that `Component.xfail` declares.
        seen: what was seen, or the reason why the law was skipped; empty for a pass.
        mend: how to mend it; empty unless it failed.
    """

    law: Law
    verdict: Verdict
    seen: str = ""
    mend: str = ""


def always(subject: Subject) -> bool:
    """Return True: the law holds for every component of its kind."""
    return True


def law(
    laws: list[Law], mend: str, *, applies: Callable[[Subject], bool] = always, trains: bool = False
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Add the decorated function to `laws`; its docstring is `Check that <statement>`."""

    def add(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
        first = " ".join((run.__doc__ or "").split("\n\n")[0].split())
        assert first.startswith(_PREFIX), f"the docstring of {run.__name__} begins with {_PREFIX!r}"
        statement = first.removeprefix(_PREFIX)
        laws.append(Law(run.__name__, statement[0].upper() + statement[1:], mend, run, applies, trains))
        return run

    return add


def expect(condition: Any, seen: str) -> None:
    """Raise AssertionError with `seen` unless the condition holds; unlike `assert`, it is never optimised away."""
    if not condition:
        raise AssertionError(seen)


@contextmanager
def expected(what: str) -> Iterator[None]:
    """Turn an error inside the block into an AssertionError: `what` must work."""
    try:
        yield
    except (AssertionError, SkipLaw):
        raise
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
