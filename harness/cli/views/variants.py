"""Facts of a variant that several views show: its trials and epochs, and whether it reads masks."""

from __future__ import annotations

from collections.abc import Mapping

from harness.config.space import size
from harness.contract.types import Plan, VariantPlan
from harness.study.journal.progress import replicates


def fully_supervised(variant: VariantPlan) -> bool:
    """Return True if training reads masks: the variant lists them in `needs`, and no other variant is given any."""
    return "train_masks" in variant.needs


def trials_of(plan: Plan, variant: VariantPlan) -> tuple[int, int]:
    """Return how many trials are searched and how many confirmed, the control on shuffled labels included.

    A variant with nothing to search has one trial, one with nothing to train has none.
    """
    searched = min(plan.trials, size(variant.tree) or plan.trials) if variant.searched else 1
    controls = int(variant.name == plan.baseline and bool(plan.confirm.get("label_control")))
    return (searched if variant.kind == "trained" else 0), len(replicates(plan, variant)) + controls


def epochs_of(variant: VariantPlan) -> int:
    """Return the epochs of one full trial: the most where they are searched, 0 where nothing is trained."""
    if variant.kind != "trained":
        return 0
    epochs = variant.tree["train"]["epochs"]
    if isinstance(epochs, Mapping):
        options = next(epochs[key] for key in ("int", "choice") if key in epochs)
        return int(max(options))
    return int(epochs)
