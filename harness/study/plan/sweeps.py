"""Variants that vary one number of the baseline, against which a figure can be drawn."""

from __future__ import annotations

from harness.config.trees import flatten
from harness.contract.types import Plan

FEWEST = 3
"""The fewest values of a setting, including the baseline's, that are drawn as a curve."""


def sweeps(plan: Plan) -> dict[str, dict[str, float]]:
    """Return the settings that several variants vary, each variant only that one.

    A variant counts if its resolved tree differs from the baseline's in one leaf, which is a number in both. A range to
    search is not a number.

    Returns:
        Dotted path of the setting -> variant -> value, including the baseline; settings with FEWEST values or more.
    """
    base = next((item for item in plan.trained if item.name == plan.baseline), None)
    if base is None:
        return {}
    before, found = flatten(base.tree), dict[str, dict[str, float]]()
    for variant in plan.trained:
        after = flatten(variant.tree)
        changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
        if len(changed) == 1 and _is_number(before.get(changed[0])) and _is_number(after.get(changed[0])):
            path = changed[0]
            found.setdefault(path, {plan.baseline: float(before[path])})[variant.name] = float(after[path])
    return {path: values for path, values in found.items() if len(set(values.values())) >= FEWEST}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
