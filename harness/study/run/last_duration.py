"""How long the latest whole run of a study took on this machine, for whoever plans it again. Estimates nothing."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from harness.contract.types import Plan
from harness.study.journal.folders import runs_of
from harness.study.journal.journal import STUDY_FINISHED, STUDY_STARTED, Event, Journal


def took(root: Path, plan: Plan) -> tuple[str, float] | None:
    """Name and seconds of the latest finished run of this study at this budget that ran here alone.

    None where there is none. Its trials may have been others than the plan's: it is the same study, not the same tree.

    Raises:
        MachineError: a journal is sick.
    """
    for folder in runs_of(root, plan.study, plan.budget):
        events = Journal(folder / "journal.jsonl").read()
        hosts = {event.data["host"] for event in events if event.kind == STUDY_STARTED}
        if events and events[-1].kind == STUDY_FINISHED and hosts == {platform.node()}:
            return folder.name, _seconds(events)
    return None


def _seconds(events: Sequence[Event]) -> float:
    """The time of all attempts; what passed between one's last event and the next one's start is left out."""
    return sum(
        later.time - earlier.time
        for earlier, later in zip(events, events[1:], strict=False)
        if later.kind != STUDY_STARTED
    )
