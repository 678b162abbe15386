"""The filters that docs/mlflow.md hands out, each run against a real store: they find what the page says."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.study.journal.journal as kinds
from harness.adapters.mlflow.client import connect
from harness.contract.types import Plan

# MLflow's own queries use an option that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

_SPEC = importlib.util.spec_from_file_location("mlflow_journals", Path(__file__).with_name("test_store.py"))
assert _SPEC and _SPEC.loader
journals = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(journals)

PAGE = Path(__file__).parents[4] / "docs" / "mlflow.md"
SEARCH = {*(f"{variant} search {number}" for variant in "ab" for number in (0, 1)), "a search 2"}
CONFIRM = {*(f"{variant} confirm {number}" for variant in "ab" for number in (0, 1)), "b confirm 2"}

EXPECTED = {
    "all variants, to be compared": {"a", "b"},
    "the variants of one budget": {"a", "b"},
    "the baseline": {"a"},
    "variants trained without masks": {"a"},
    "variants that beat the baseline": {"b"},
    "all searched trials": SEARCH,
    "the searched trials of one variant": {"a search 0", "a search 1", "a search 2"},
    "trials that ran to their end": {"a search 0", "b search 0"},
    "trials that were stopped early": {"a search 2"},
    "what failed, and its tag `reason`": {"a search 1", "b search 1"},
    "good trials": {"b search 0"},
    "all confirmations": CONFIRM,
    "the confirmations of one variant": {"a confirm 0", "a confirm 1"},
    "the confirmations of one seed": {"a confirm 0", "b confirm 0"},
    "the confirmations on one fold": {"b confirm 2"},
    "everything of one run of a study": {"quick-55555555", "a", "b", *SEARCH, *CONFIRM},
}
"""What the study below holds: trial 2 of `a` was stopped, confirmation 2 of `b` is one of a fold."""


def filters() -> dict[str, str]:
    """The rows of the page's table: what is wanted, and the filter."""
    rows = re.findall(r"^\| (.+?) \| (`+)(.+)\2 \|$", PAGE.read_text().split("## Filters to keep")[1], re.MULTILINE)
    return {wanted: text for wanted, _, text in rows}


@pytest.fixture(scope="module")
def store(migrated_mlflow: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An experiment with one study: failed, stopped and complete trials, seeds and a fold; the second variant wins."""
    folder = tmp_path_factory.mktemp("filters")
    shutil.copy(migrated_mlflow, folder / "mlflow.db")
    plan: Plan = journals.plan_of_two()
    plan = replace(plan, variants=(plan.variants[0], replace(plan.variants[1], needs=("train_masks",))))
    journal = journals.write_study(folder, plan, finish=False)
    stopped = journals.spec_of(plan, "a", "search", 2)
    journal.append(kinds.TRIAL_ASKED, trial=stopped.id, spec=_json(stopped))
    ended = {"state": "pruned", "value": 0.5, "reason": "", "metrics": {}, "best_epoch": 1, "epochs": 1, "seconds": 1.0}
    journal.append(kinds.TRIAL_FINISHED, trial=stopped.id, **ended, files=[], ledger={})
    folded = replace(journals.spec_of(plan, "b", "confirm", 2, 7), fold=2)
    journals.write_trial(journal, folded, 0.7)
    journal.append(kinds.STUDY_FINISHED)
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    journals.send(uri, folder)
    return connect(uri)


def _json(spec: Any) -> Mapping[str, Any]:
    return dict(json.loads(spec.to_json()))


def test_the_page_and_the_test_name_the_same_filters() -> None:
    assert list(filters()) == list(EXPECTED)


@pytest.mark.parametrize("wanted", EXPECTED)
def test_a_filter_finds_what_the_page_says(store: Any, wanted: str) -> None:
    text = filters()[wanted].replace("'gmic'", "'a'").replace("1a2b3c4d", "55555555").replace("> 0.8", "> 0.65")
    experiment = store.get_experiment_by_name("scripted")
    found = [run.info.run_name for run in store.search_runs([experiment.experiment_id], text)]
    assert sorted(found) == sorted(EXPECTED[wanted])
