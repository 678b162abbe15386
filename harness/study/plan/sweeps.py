"""Which variants vary one number of the baseline: what a figure can be drawn against."""

from __future__ import annotations

from harness.config.trees import flatten
from harness.contract.types import Plan

FEWEST = 3
"""Values of a setting, the baseline's included, that make a curve."""


def sweeps(plan: Plan) -> dict[str, dict[str, float]]:
    """Settings that several variants vary, each of them alone.

    A variant counts where its resolved tree is the baseline's but for one leaf, and that leaf is a number in both;
    a range to search is no number.

    Returns:
        Dotted path of the setting -> variant -> value, the baseline among them; those with FEWEST values at least.
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
