"""Trials of a plan's variants for tests."""

from __future__ import annotations

from harness.config.space import Default, sample
from harness.contract.types import Plan, TrialSpec, VariantPlan


def default_trial(plan: Plan, variant: VariantPlan) -> TrialSpec:
    """Return trial 0 of a variant's search, which has the default parameters, with seed 0."""
    tree, params = sample(variant.tree, Default(variant.tree))
    return TrialSpec(
        study=plan.study,
        study_id=plan.study_id,
        budget=plan.budget,
        variant=variant.name,
        variant_id=variant.id,
        stage="search",
        number=0,
        seed=0,
        tree=tree,
        params=params,
        digest=variant.facts["digest"],
        plugins=plan.plugins,
    )
