"""What the records of a study say: whose search is over, who won, what is still due. Writes nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.types import UNBUILT, Plan, Stage, TrialSpec, VariantPlan
from harness.study.journal.journal import TrialRecord


@dataclass(frozen=True)
class Repeat:
    """One confirmation of a variant: of a trained one a seed and a fold, of a family a reader."""

    seed: int
    fold: int | None = None
    reader: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """What the confirmation's spec says of it beside seed and fold."""
        return {"reader": self.reader} if self.reader is not None else {}


def repeats(plan: Plan, variant: VariantPlan) -> list[Repeat]:
    """The confirmations of a variant: seeds x folds where something is trained for it, x its readers."""
    seeded = variant.kind == "trained" or variant.tree[variant.kind].get("seeded", False)
    folds: list[int | None] = [*range(int(plan.confirm.get("folds") or 0))] or [None]
    runs = [(int(seed), fold) for seed in plan.confirm["seeds"] for fold in folds] if seeded else [(0, None)]
    readers = (variant.facts.get("readers") if variant.kind != "trained" else None) or [None]
    return [Repeat(seed, fold, reader) for reader in readers for seed, fold in runs]


class Progress:
    """The trials of a plan's variants so far, by variant and stage.

    Args:
        plan: what is to be run.
        records: the trials there are, in the order they were asked.
    """

    def __init__(self, plan: Plan, records: Iterable[TrialRecord] = ()) -> None:
        self.plan = plan
        self._records: dict[tuple[str, str], list[TrialRecord]] = {}
        self._exhausted: set[str] = set()
        for record in records:
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Takes a trial in; what becomes of it is read from the record later."""
        spec = record.spec
        self._records.setdefault((spec.variant_id, spec.stage), []).append(record)
        if spec.stage == "confirm":  # a search that was followed by this was over, with however few trials
            self._exhausted.add(spec.variant_id)

    def exhaust(self, variant: VariantPlan) -> None:
        """The variant's space has no other configuration."""
        self._exhausted.add(variant.id)

    def of(self, variant: VariantPlan, stage: Stage) -> list[TrialRecord]:
        """The variant's trials of one stage, by number."""
        return self._records.get((variant.id, stage), [])

    def repeats(self, variant: VariantPlan) -> list[Repeat]:
        """The confirmations that the variant is to have, by number."""
        return repeats(self.plan, variant)

    def asked_all(self, variant: VariantPlan) -> bool:
        """Whether the variant's search has had its budget; what is not trained is not searched."""
        if variant.kind != "trained":
            return True
        # Without anything to search every trial would be the same: one is enough.
        budget = self.plan.trials if variant.searched else 1
        return variant.id in self._exhausted or len(self.of(variant, "search")) >= budget

    def searched(self, variant: VariantPlan) -> bool:
        """Whether the variant's search is over: all its trials have ended, and none is to be finished."""
        ended = all(record.result for record in self.of(variant, "search"))
        return ended and self.asked_all(variant) and self.to_finish(variant) is None

    def over(self, variant: VariantPlan) -> bool:
        """Whether nothing is left to do for the variant."""
        confirm = self.of(variant, "confirm")
        confirmed = len(confirm) == len(self.repeats(variant)) and all(record.result for record in confirm)
        floored = not self.floors(variant) or any(record.result for record in self.of(variant, "floor"))
        lost = variant.kind == "trained" and self.winner(variant) is None
        return self.searched(variant) and ((confirmed and floored) or lost)

    def floors(self, variant: VariantPlan) -> int:
        """How often the variant's best is trained on shuffled labels: the baseline's once, if asked."""
        asked = variant.name == self.plan.baseline and bool(self.plan.confirm.get("label_floor"))
        return int(asked and variant.kind == "trained")

    def winner(self, variant: VariantPlan) -> TrialRecord | None:
        """The best complete search trial so far; of equals, the first."""
        return self._best(variant, "complete")

    def to_finish(self, variant: VariantPlan) -> TrialRecord | None:
        """The stopped trial that is to be run to its end: the best, where all ended and none was complete."""
        records = self.of(variant, "search")
        if not self.asked_all(variant) or not all(record.result for record in records) or self.winner(variant):
            return None
        failed = [record.spec.params for record in records if record.state == "failed"]
        return self._best(variant, "pruned", failed)

    def stoppable(self, spec: TrialSpec) -> bool:
        """Whether a stopper may end the trial early: not where it finishes one that was stopped."""
        earlier = self._records.get((spec.variant_id, "search"), [])[: spec.number]
        stopped = any(record.state == "pruned" and record.spec.params == spec.params for record in earlier)
        whole = any(record.state == "complete" for record in earlier)  # then nothing has to be finished
        return spec.stage == "search" and (whole or not stopped)

    def failures(self) -> dict[str, str]:
        """The variants that have failed, each with the reason of its first failed trial."""
        found: dict[str, str] = {}
        for variant in self.plan.variants:
            confirm = [record.result for record in self.of(variant, "confirm") if record.state == "failed"]
            search = [record.result for record in self.of(variant, "search") if record.state == "failed"]
            lost = variant.kind == "trained" and self.searched(variant) and self.winner(variant) is None
            if confirm or lost:
                result = next(iter([*confirm, *search]), None)
                found[variant.name] = result.reason if result else "no trial was completed"
        return found

    def unbuilt(self) -> str:
        """Why no model could be built so far, where each variant was tried and all failed for one reason; else ""."""
        ended = [[record.result for record in self.of(item, "search") if record.result] for item in self.plan.trained]
        reasons = {result.reason for results in ended for result in results}
        alike = all(ended) and len(reasons) == 1
        return next((reason for reason in reasons if alike and reason.startswith(UNBUILT)), "")

    def _best(self, variant: VariantPlan, state: str, without: Iterable[Mapping[str, Any]] = ()) -> TrialRecord | None:
        best: TrialRecord | None = None
        for record in self.of(variant, "search"):
            if record.result is None or record.state != state or record.spec.params in without:
                continue
            if best is None or self.plan.objective.better(record.result.value, _value(best)):
                best = record
        return best


def _value(record: TrialRecord) -> float:
    return record.result.value if record.result else math.nan
