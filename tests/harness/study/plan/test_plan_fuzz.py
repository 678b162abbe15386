"""Whatever a user writes, a plan comes out or one InputError; never a traceback."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import InputError
from harness.study.file.spec import read_study
from harness.study.plan.plan import make_plan, plan_from_json, plan_to_json

PATHS = [
    *("study", "study.objective", "study.metrics", "study.baseline", "study.budget", "dataset", "dataset.use"),
    *("dataset.image_size", "dataset.masks", "train", "train.lr", "train.epochs", "train.optimiser", "train.augment"),
    *("train.schedule", "train.early_stop", "model", "model.use", "model.crops", "model.pooling", "model.backbone"),
    *("model.pooling.fraction", "model.pooling.use", "model.space", "search", "search.sampler", "search.pruner"),
    *("search.trials", "confirm", "confirm.seeds", "confirm.folds", "explain", "explain.use", "variants"),
    *("variants.gap", "variants.gap.model", "variants.gap.model.pooling", "variants.top.dataset", "budgets"),
    *(
        "budgets.quick",
        "budgets.quick.select",
        "budgets.quick.model",
        "budgets.quick.search",
        "oddity",
        "train.float",
        "model.choice",
    ),
]
words = st.sampled_from(
    ["", "bag", "mean", "top", "adam", "default", "all", "plain", "gap", "tpe", "grid", "val/auroc"]
)
scalars = st.one_of(words, st.integers(-2, 70), st.floats(), st.booleans(), st.dates())
keys = st.sampled_from(["use", "float", "int", "log10", "choice", "log", "step", "default", "space", "fraction", "a b"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), values), min_size=1, max_size=4), st.booleans())
def test_any_study_is_planned_or_refused(planner: Any, edits: list[tuple[str, Any]], as_set: bool) -> None:
    tables, overrides = copy.deepcopy(tomllib.loads(planner.BASE)), []
    for path, value in edits:
        if as_set and isinstance(value, int | str):
            overrides.append(f"{path}={value}")
        else:
            _put(tables, path.split("."), value)
    try:
        study = read_study(tables, Path("study.toml"))
        plan = make_plan(study, planner.catalog(), planner.settings, overrides=overrides)
    except InputError as error:
        assert str(error)
    else:
        assert plan_from_json(plan_to_json(plan)) == plan


def _put(tables: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = tables.get(key)
        tables[key] = inner if isinstance(inner, dict) else {}
        tables = tables[key]
    tables[keys[-1]] = value
