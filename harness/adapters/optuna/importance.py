"""The share of the variance of the objective that each searched parameter explains: Optuna's fANOVA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from harness.adapters.optuna.records import template
from harness.contract.types import Plan, VariantPlan
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 4
"""The fewest complete trials of a variant for which importances are computed: a tree needs something to split."""
TREES = 32


def importance_table(plan: Plan, state: StudyState) -> pd.DataFrame:
    """Return the importances for each variant with FEWEST complete trials and two searched parameters or more.

    They are noisy: a dozen trials can rank two parameters at most. Parameters that some trial did not sample (those of
    an option) are left out.

    Returns:
        `variant`, `parameter`, `importance` (shares with sum 1), `trials` (number of complete trials).

    Source: Hutter, Hoos, Leyton-Brown 2014, ICML.
    """
    import pandas as pd

    rows = []
    for variant in plan.trained:
        done = [r for r in state.of_variant(variant.id, "search") if r.state == "complete" and r.result]
        values = {record.result.value for record in done if record.result}
        if len(done) < FEWEST or len(variant.searched) < 2 or len(values) < 2:
            continue
        for name, share in _importances(variant, done, plan.objective.mode).items():
            rows.append({"variant": variant.name, "parameter": name, "importance": share, "trials": len(done)})
    return pd.DataFrame(rows, columns=["variant", "parameter", "importance", "trials"])


def _importances(variant: VariantPlan, done: Sequence[TrialRecord], mode: str) -> dict[str, float]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize" if mode == "min" else "maximize")
    for record in done:
        assert record.result is not None
        asked = template(variant, record)
        ended = optuna.trial.create_trial(
            params=asked.params, distributions=asked.distributions, value=record.result.value
        )
        study.add_trial(ended)
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=0)))
