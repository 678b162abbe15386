"""How far each variant of a plan is: a view of a `StudyState`. Pure; asks no sampler and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.contract.types import UNBUILT, Plan, Stage, TrialSpec, VariantPlan
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord

STAGES: tuple[Stage, ...] = ("search", "confirm", "control")


@dataclass(frozen=True)
class Replicate:
    """One confirmation of a variant: a seed and a fold of what is trained, a reader of a family."""

    seed: int
    fold: int | None = None
    reader: str | None = None

    @property
    def params(self) -> dict[str, str]:
        """Parameters of the confirmation's spec, next to its seed and fold."""
        return {"reader": self.reader} if self.reader is not None else {}


def replicates(plan: Plan, variant: VariantPlan) -> list[Replicate]:
    """Return the confirmations of a variant by number: seeds x folds where something is trained, x its readers."""
    seeded = variant.kind == "trained" or variant.tree[variant.kind].get("seeded", False)
    folds: list[int | None] = [*range(int(plan.confirm.get("folds") or 0))] or [None]
    runs = [(int(seed), fold) for seed in plan.confirm["seeds"] for fold in folds] if seeded else [(0, None)]
    readers = (variant.facts.get("readers") if variant.kind != "trained" else None) or [None]
    return [Replicate(seed, fold, reader) for reader in readers for seed, fold in runs]


@dataclass(frozen=True)
class Progress:
    """A plan and the state of its study, which keeps its trials."""

    plan: Plan
    state: StudyState

    def of(self, variant: VariantPlan, stage: Stage) -> list[TrialRecord]:
        """Return the variant's trials of one stage, by number."""
        return self.state.of_variant(variant.id, stage)

    def asked_all(self, variant: VariantPlan) -> bool:
        """Return True if the variant's search has had its budget; what is not trained is not searched."""
        if variant.kind != "trained" or variant.id in self.state.exhausted or self.of(variant, "confirm"):
            return True
        # Without anything to search every trial would be the same: one is enough.
        return len(self.of(variant, "search")) >= (self.plan.trials if variant.searched else 1)

    def searched(self, variant: VariantPlan) -> bool:
        """Return True if the variant's search is over: all its trials have ended, and none is to be completed."""
        ended = all(record.result for record in self.of(variant, "search"))
        return ended and self.asked_all(variant) and self.to_complete(variant) is None

    def over(self, variant: VariantPlan) -> bool:
        """Return True if nothing is left to do for the variant."""
        confirm = self.of(variant, "confirm")
        confirmed = len(confirm) == len(replicates(self.plan, variant)) and all(record.result for record in confirm)
        controlled = not self.label_controls(variant) or any(record.result for record in self.of(variant, "control"))
        lost = variant.kind == "trained" and self.winner(variant) is None
        return self.searched(variant) and ((confirmed and controlled) or lost)

    def label_controls(self, variant: VariantPlan) -> int:
        """Return how often the variant's best is trained on shuffled labels: the baseline's once, if asked for."""
        asked = variant.name == self.plan.baseline and bool(self.plan.confirm.get("label_control"))
        return int(asked and variant.kind == "trained")

    def winner(self, variant: VariantPlan) -> TrialRecord | None:
        """Return the best complete search trial so far; of equals, the first."""
        return self._best(variant, "complete")

    def to_complete(self, variant: VariantPlan) -> TrialRecord | None:
        """Return the pruned trial to train to its last epoch: the best, where all have ended and none is complete."""
        records = self.of(variant, "search")
        if not self.asked_all(variant) or not all(record.result for record in records) or self.winner(variant):
            return None
        failed = [record.spec.params for record in records if record.state == "failed"]
        return self._best(variant, "pruned", failed)

    def prunable(self, spec: TrialSpec) -> bool:
        """Return True if a pruner may end the trial early: not where it completes one that was pruned."""
        earlier = self.state.of_variant(spec.variant_id, "search")[: spec.number]
        pruned = any(record.state == "pruned" and record.spec.params == spec.params for record in earlier)
        complete = any(record.state == "complete" for record in earlier)  # then no pruned trial is completed
        return spec.stage == "search" and (complete or not pruned)

    def failures(self) -> dict[str, str]:
        """Return the variants that have failed, each with the reason of its first failed trial."""
        found: dict[str, str] = {}
        for variant in self.plan.variants:
            confirm = [record.result for record in self.of(variant, "confirm") if record.state == "failed"]
            search = [record.result for record in self.of(variant, "search") if record.state == "failed"]
            # Of a finished study every search is over, though a grid may have fewer points than the budget.
            searched = variant.kind == "trained" and (self.state.finished or self.searched(variant))
            if confirm or (searched and self.winner(variant) is None):
                result = next(iter([*confirm, *search]), None)
                found[variant.name] = result.reason if result else "no trial was completed"
        return found

    def notes(self) -> list[str]:
        """Return what components changed in the global state of their workers, `variant: note`, each once."""
        found = []
        for variant in self.plan.variants:
            results = [record.result for stage in STAGES for record in self.of(variant, stage) if record.result]
            found += [f"{variant.name}: {note}" for result in results for note in result.notes]
        return list(dict.fromkeys(found))

    def unbuilt(self) -> str:
        """Return why no model can be built, where each variant was tried and all failed for one reason; else ""."""
        ended = [[record.result for record in self.of(item, "search") if record.result] for item in self.plan.trained]
        reasons = {result.reason for results in ended for result in results}
        alike = all(ended) and len(reasons) == 1
        return next((reason for reason in reasons if alike and reason.startswith(UNBUILT)), "")

    def unmeasured(self) -> list[TrialSpec]:
        """Return confirmations that lack a metric or an explainer of the plan, as specs that ask for them."""
        plan, found = self.plan, []
        for variant in plan.variants:
            for record in self.of(variant, "confirm"):
                asked = {key: plan.metric_tables.get(key) for key in plan.metrics}
                before = {key: record.spec.metric_tables.get(key) for key in record.spec.metrics}
                lacks = not asked.items() <= before.items() or dict(record.spec.explain) != dict(plan.explain)
                if record.state == "complete" and lacks:
                    wanted: dict[str, Any] = {
                        "metrics": plan.metrics,
                        "metric_tables": plan.metric_tables,
                        "explain": plan.explain,
                    }
                    found.append(replace(record.spec, **wanted))
        return found

    def _best(self, variant: VariantPlan, state: str, without: Iterable[Mapping[str, Any]] = ()) -> TrialRecord | None:
        best, value = None, float("nan")
        for record in self.of(variant, "search"):
            if record.result is None or record.state != state or record.spec.params in without:
                continue
            if best is None or self.plan.objective.better(record.result.value, value):
                best, value = record, record.result.value
        return best
