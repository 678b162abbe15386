"""Tests of laws without pytest: a finding for each law of a component."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from harness.testing.laws.law import Finding, Law, SkipLaw
from harness.testing.laws.registry import laws_of
from harness.testing.laws.subject import Subject


def check(subject: Subject, *, trains: bool = True) -> Iterator[Finding]:
    """Test every law of a component and yield each finding as soon as it is known.

    Args:
        subject: the component.
        trains: False leaves out the laws that train, which take seconds.
    """
    for law in laws_of(subject):
        if trains or not law.trains:
            yield try_law(law, subject)


def try_law(law: Law, subject: Subject) -> Finding:
    """Test one law. Only an AssertionError is a failure that `Component.xfail` can declare."""
    reason = subject.component.xfail.get(law.name)
    try:
        law.run(subject)
    except SkipLaw as skipped:
        return Finding(law, "skipped", str(skipped))
    except AssertionError as failure:
        seen = str(failure) or f"this does not hold: {traceback.extract_tb(failure.__traceback__)[-1].line}"
        return Finding(law, "fail", seen, law.mend) if reason is None else Finding(law, "xfail", f"{reason}: {seen}")
    except Exception as error:  # a plugin may raise anything
        seen = f"{type(error).__name__}: {error} ({_place(error)})"
        return Finding(law, "fail", seen, law.mend)
    if reason is None:
        return Finding(law, "pass")
    return Finding(law, "fail", f"it holds, and `xfail` says that it cannot: {reason}", "Remove it from `xfail`.")


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"
