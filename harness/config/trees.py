"""A study tree as flat `path = value` leaves, for tables, parameters and comparisons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.config.distributions import KINDS, is_distribution
from harness.contract.types import Plan, Task


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves by dotted path; a distribution or an empty table is one leaf."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value and not is_distribution(value):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[f"{prefix}{key}"] = value
    return leaves


def brief(value: Any) -> str:
    """Return a leaf as short text, with distributions as in a study file: `log10 [-4, -2]`."""
    if isinstance(value, Mapping) and is_distribution(value):
        kind = next(key for key in KINDS if key in value)
        return f"{kind} {brief(value[kind])}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {brief(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(brief(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def changes(base: Mapping[str, Any], tree: Mapping[str, Any]) -> list[str]:
    """Return `path = value` for every leaf of `tree` that differs from `base`, in the order of `tree`."""
    before, after = flatten(base), flatten(tree)
    return [f"{path} = {brief(value)}" for path, value in after.items() if before.get(path) != value]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return `path: old -> new` for every leaf that was changed, added or removed."""
    old, new = flatten(before), flatten(after)
    absent = object()
    found = []
    for path in dict.fromkeys([*old, *new]):
        a, b = old.get(path, absent), new.get(path, absent)
        if a != b:
            found.append(f"{path}: {'(none)' if a is absent else brief(a)} -> {'(none)' if b is absent else brief(b)}")
    return found


def of_fold(dataset: Mapping[str, Any], fold: int, folds: int) -> dict[str, Any]:
    """Return the `dataset` table of one of `folds` folds; the fold is the test split."""
    return {**dataset, "folds": folds, "fold": fold}


def task_of_tables(tree: Mapping[str, Any], classes: tuple[str, ...]) -> Task:
    """Return the task of a variant that is not trained: "multiclass" if its table says so, else "multilabel"."""
    table = tree.get("external") or tree["ensemble"]
    return Task(kind="multiclass" if table.get("kind") == "multiclass" else "multilabel", classes=classes)


def dataset_table(plan: Plan) -> Mapping[str, Any]:
    """Return the data set that a plan's variants are tested on; {} for a study of tables only."""
    own = plan.trained[0].tree.get("dataset") if plan.trained else plan.tree.get("dataset")
    found: Mapping[str, Any] = own or {}
    return found
