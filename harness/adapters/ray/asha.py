"""Pruning with Ray's ASHA, one for each variant, for every tuner: a study prunes the same trials with each.

One ASHA for all variants would be unfair: it would prune the trials of a weak variant because the variant is weak.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.config.distributions import Number, is_distribution, read
from harness.contract.types import Epoch, TrialSpec
from harness.study.journal.progress import Progress

if TYPE_CHECKING:
    from ray.tune.schedulers import ASHAScheduler


@dataclass(frozen=True)
class _Known:
    """The part of a trial that ASHA needs: a name that is the same after a resume."""

    trial_id: str


class Pruners:
    """Pruners of search trials, created from the study's state on each resume."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._table: Mapping[str, Any] = progress.plan.search.get("pruner", {"use": "none"})
        self._schedulers: dict[str, ASHAScheduler] = {}
        self._added: set[str] = set()
        if self._table["use"] == "none":
            return
        for variant in progress.plan.trained:
            self._schedulers[variant.id] = self._scheduler(longest(variant.tree))
        for record in progress.state.trials.values():
            for epoch in record.epochs:
                self.prunes(record.spec, epoch)

    def prunes(self, spec: TrialSpec, epoch: Epoch) -> bool:
        """Return True if the trial is to end after this epoch; called once for each epoch.

        A trial at its last epoch is never pruned: it has had its full cost.
        """
        scheduler = self._schedulers.get(spec.variant_id)
        if scheduler is None or not self._progress.prunable(spec) or epoch.number >= longest(spec.tree):
            return False
        if math.isnan(epoch.smoothed):  # the trial fails anyway; a rung with NaN could not compare trials
            return False
        known = _Known(spec.id)
        if spec.id not in self._added:
            scheduler.on_trial_add(None, known)
            self._added.add(spec.id)
        seen = {"epoch": epoch.number, "value": epoch.smoothed}
        return bool(scheduler.on_trial_result(None, known, seen) == scheduler.STOP)

    def _scheduler(self, epochs: int) -> ASHAScheduler:
        from ray.tune.schedulers import ASHAScheduler

        return ASHAScheduler(
            time_attr="epoch",
            metric="value",
            mode=self._progress.plan.objective.mode,
            max_t=epochs,
            grace_period=min(int(self._table["grace"]), epochs),
            reduction_factor=int(self._table["reduction"]),
            stop_last_trials=False,
        )


def longest(tree: Mapping[str, Any]) -> int:
    """Return the largest number of epochs of a trial of the tree."""
    epochs = tree["train"]["epochs"]
    if not is_distribution(epochs):
        return int(epochs)
    found = read(epochs)
    return int(found.high if isinstance(found, Number) else max(found.options))
