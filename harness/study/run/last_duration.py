"""The duration of the latest complete run of a study on this machine, for a new plan of it. Estimates nothing."""

from __future__ import annotations

import platform
from pathlib import Path

from harness.contract.errors import InputError
from harness.contract.types import Plan
from harness.study.journal.folders import read_state, runs_of


def last_duration(root: Path, plan: Plan) -> tuple[str, float] | None:
    """Return name and seconds of the latest finished run of this study at this budget on this machine alone.

    None if there is none. The run may have had other trials than the plan: it is the same study, not the same tree.

    Raises:
        MachineError: a journal is damaged.
    """
    for folder in runs_of(root, plan.study, plan.budget):
        try:
            state = read_state(folder)
        except InputError:  # of another version
            continue
        if state.finished and state.hosts == {platform.node()}:
            return folder.name, state.seconds
    return None
