"""Prunes with Ray's ASHA, one a variant, for every tuner: the same study prunes the same trials whoever runs it.

One ASHA over all variants would be unfair: it prunes a weak variant's trials for being weak.
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
    """What ASHA needs of a trial: a name that is the same after a resume."""

    trial_id: str


class Pruners:
    """Decides when a search trial is pruned; made anew from the study's state on each resume."""

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
        """Return True if the trial is to end after this epoch; each epoch is given once.

        A trial at its last epoch is never pruned: it has cost all it can.
        """
        scheduler = self._schedulers.get(spec.variant_id)
        if scheduler is None or not self._progress.prunable(spec) or epoch.number >= longest(spec.tree):
            return False
        if math.isnan(epoch.smoothed):  # the trial fails by itself; a rung with NaN in it would judge nobody
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
    """Return the most epochs that a trial of the tree may take."""
    epochs = tree["train"]["epochs"]
    if not is_distribution(epochs):
        return int(epochs)
    found = read(epochs)
    return int(found.high if isinstance(found, Number) else max(found.options))
