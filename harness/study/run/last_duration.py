"""How long the latest whole run of a study took on this machine, for whoever plans it again. Estimates nothing."""

from __future__ import annotations

import platform
from pathlib import Path

from harness.contract.errors import InputError
from harness.contract.types import Plan
from harness.study.journal.folders import read_state, runs_of


def took(root: Path, plan: Plan) -> tuple[str, float] | None:
    """Return name and seconds of the latest finished run of this study at this budget that ran here alone.

    None where there is none. Its trials may have been others than the plan's: it is the same study, not the same tree.

    Raises:
        MachineError: a journal is sick.
    """
    for folder in runs_of(root, plan.study, plan.budget):
        try:
            state = read_state(folder)
        except InputError:  # another version's
            continue
        if state.finished and state.hosts == {platform.node()}:
            return folder.name, state.seconds
    return None
