"""An observer: writes a line for each trial that ends. It runs in the driver, so it has to be quick."""

from __future__ import annotations

import os

from harness import TrialResult, TrialSpec, hookimpl

VARIABLE = "ACME_EXAMPLE_LOG"
"""The environment variable that names the file; nothing is written without it."""


@hookimpl
def harness_trial_finished(trial: TrialSpec, result: TrialResult) -> None:
    """Append study, variant, stage, seed, state and value of a trial to a CSV file."""
    if path := os.environ.get(VARIABLE):
        row = (trial.study, trial.variant, trial.stage, trial.seed, result.state, result.value)
        with open(path, "a", encoding="utf-8") as file:
            file.write(",".join(map(str, row)) + "\n")
