"""The check of a plugin: the laws of all its components, then a study of two epochs with each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.api.kit.addresses import Item, belongs, broken_of, find
from harness.api.session import Session

STUDY = "a_study_of_two_epochs"
LOADING = "is_loaded"
NOTE = "is_noted"


@dataclass(frozen=True)
class Row:
    """The outcome of one law, or of the study, for one component.

    Args:
        kind: of the component; "" for the plugin itself.
        component: its name; "" for the plugin itself.
        law: the law's name, STUDY, LOADING or NOTE.
        verdict: "pass", "fail", "xfail" (a failure that the component declares), "skipped" or "note".
        statement: what the law states.
        seen: what was seen; empty for a law that holds.
        mend: how to mend it; empty unless it failed.
    """

    kind: str
    component: str
    law: str
    verdict: str
    statement: str
    seen: str = ""
    mend: str = ""


def check_plugin(name: str, session: Session) -> Iterator[Row]:
    """Check everything about a plugin and yield each outcome as soon as it is known.

    Args:
        name: a distribution, a component, or `distribution:component`.
        session: its catalog holds the plugin.

    Raises:
        InputError: nothing has this name.
    """
    items = find(session.catalog, name)
    for broken in broken_of(session.catalog, name):
        mend = "Correct it; HARNESS_TRACE=1 shows the traceback."
        yield Row(
            "", broken.provider.plugin, LOADING, "fail", "The plugin and its components load.", broken.reason, mend
        )
    for note in (*session.catalog.remarks, *session.catalog.at_import):
        if belongs(note.provider, name):
            yield Row("", note.provider.plugin, NOTE, "note", "A likely mistake, which stops nothing.", note.message)
    yield from _laws(items, session)
    with tempfile.TemporaryDirectory(prefix="harness-check-") as folder:
        for number, item in enumerate(items):
            yield _study(item, session, Path(folder) / str(number))


def _laws(items: Sequence[Item], session: Session) -> Iterator[Row]:
    from harness.testing.laws.check import check
    from harness.testing.laws.subject import Subject

    for kind, component, _ in items:
        subject = Subject(kind=kind, component=component, catalog=session.catalog)
        for finding in check(subject):
            law = finding.law
            yield Row(kind, component.name, law.name, finding.verdict, law.statement, finding.seen, finding.mend)


def _study(item: Item, session: Session, folder: Path) -> Row:
    from harness.api.kit.short_study import try_study

    kind, component, _ = item
    outcome = try_study(kind, component, session, folder)
    mend = "Correct what the message names." if outcome.verdict == "fail" else ""
    statement = "It is planned, trained for two epochs, tested, and has a row in the leaderboard."
    return Row(kind, component.name, STUDY, outcome.verdict, statement, outcome.seen, mend)
