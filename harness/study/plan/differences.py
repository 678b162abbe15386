"""Short texts of the differences between a variant and the base of its study."""

from __future__ import annotations

from harness.config.trees import brief, changes
from harness.contract.types import Plan, VariantPlan


def differs_by(plan: Plan, variant: VariantPlan) -> list[str]:
    """Return the patches of a variant, or the source of its predictions."""
    if variant.kind == "trained":
        return changes(plan.tree, variant.tree)
    table = variant.tree[variant.kind]
    if variant.kind == "ensemble":
        weights = table["weights"] if isinstance(table["weights"], str) else brief(table["weights"])
        how = f", by {table['maximise']}" if weights in ("fit", "oracle") else ""
        return [f"average of {', '.join(table['of'])}; weights {weights}{how}"]
    if readers := table.get("readers"):
        return [f"{table['predictions']}: {len(readers)} readers, {next(iter(readers))} to {list(readers)[-1]}"]
    return [f"{table['predictions']}: {', '.join(table['scores'].values())}"]
