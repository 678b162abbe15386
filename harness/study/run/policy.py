"""The policy: which trial comes next and how one counts, as pure functions of a plan and a study's state.

Its laws: equal budgets, trial 0 is the default, the best complete trial wins, an interrupted trial is handed out
again at no cost, and a trial fails after three deaths of its worker. It reads no file, no clock and no sampler.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from harness.config.trees import of_fold
from harness.contract.types import Objective, Plan, Stage, TrialResult, TrialSpec, VariantPlan, kind_of
from harness.study.journal.progress import Progress, Replicate, replicates
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.run.tuning import Configuration

DEATHS = 3
"""A trial whose worker died this often is failed: it would go on for ever."""


@dataclass(frozen=True)
class Ask:
    """The sampler is to give the configuration of a search trial; `params` where they are given."""

    variant: VariantPlan
    number: int
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Start:
    """This trial is to run now; the state may know it already."""

    spec: TrialSpec


@dataclass(frozen=True)
class Wait:
    """Trials that are running decide what comes next."""


@dataclass(frozen=True)
class Done:
    """Nothing is left to train."""


Step: TypeAlias = Ask | Start | Wait | Done


def next_step(plan: Plan, state: StudyState) -> Step:
    """Return what comes next.

    Search trials of all variants come in turn, so that equal budgets progress together. When a variant's search
    is over, its best complete trial is trained again with each seed. If it has none, its best pruned trial is
    first trained to its last epoch: an extra search trial with the next number and the same parameters.
    """
    progress = Progress(plan, state)
    if again := cut_off(plan, state):
        return Start(again[0].spec)
    step = _search(progress) or _completion(progress) or _confirm(progress) or _label_control(progress)
    return step or (Wait() if state.out else Done())


def is_trained(plan: Plan, state: StudyState) -> bool:
    """Return True if everything that is trained has ended; what is read or averaged may be due."""
    return not state.out and not cut_off(plan, state) and all(map(Progress(plan, state).over, plan.trained))


def is_complete(plan: Plan, state: StudyState) -> bool:
    """Return True if every trial of the plan has ended."""
    return is_trained(plan, state) and all(map(Progress(plan, state).over, plan.variants))


def is_done(plan: Plan, state: StudyState) -> bool:
    """Return True if the study is complete, and each confirmation measured for all that the plan names."""
    return is_complete(plan, state) and not Progress(plan, state).unmeasured()


def cut_off(plan: Plan, state: StudyState) -> list[TrialRecord]:
    """Return the trials to hand out again; a variant may have been changed or taken out since."""
    ids = {variant.id for variant in plan.trained}
    records = [state.trials[name] for name in state.waiting]
    return [record for record in records if record.spec.variant_id in ids]


def search_spec(plan: Plan, ask: Ask, found: Configuration) -> TrialSpec:
    """Return the search trial that was asked for, with the configuration that the sampler gave."""
    return _spec(plan, ask.variant, "search", ask.number, found)


def due(plan: Plan, state: StudyState, variant: VariantPlan) -> list[TrialSpec]:
    """Return the confirmations that a variant which is not trained still lacks."""
    known = {record.spec.number: record for record in Progress(plan, state).of(variant, "confirm")}
    found = []
    for number, replicate in enumerate(replicates(plan, variant)):
        if number not in known:
            found.append(_confirmation(plan, variant, number, Configuration(variant.tree, replicate.params)))
        elif known[number].result is None:
            found.append(known[number].spec)
    return found


def counted(spec: TrialSpec, result: TrialResult) -> TrialResult:
    """Return the result as it counts: a value of NaN is a failure, whatever state the trial reports."""
    if result.state != "failed" and math.isnan(result.value) and kind_of(spec.tree) == "trained":
        return replace(result, state="failed", reason="the objective is NaN")
    return result


def pruned(record: TrialRecord, objective: Objective) -> TrialResult:
    """Return the result of a trial that a pruner ends: the best epoch of the phase that it is in."""
    best = record.epochs[-1]  # of earlier phases the value may be another metric
    for epoch in [epoch for epoch in record.epochs if epoch.phase == best.phase]:
        best = epoch if objective.better(epoch.smoothed, best.smoothed) else best
    return TrialResult(
        state="pruned",
        value=best.smoothed,
        best_epoch=best.number,
        epochs=record.epochs[-1].number,
        metrics=best.metrics,
        seconds=sum(epoch.seconds for epoch in record.epochs),
    )


def lost(record: TrialRecord, reason: str) -> TrialResult | None:
    """Return the result of a trial whose worker has died once more; None where it is handed out again."""
    if record.deaths + 1 < DEATHS:
        return None
    return TrialResult(state="failed", reason=f"its worker died {DEATHS} times: {reason}")


def _search(progress: Progress) -> Step | None:
    """Return the next search trial of the variant that had fewest."""
    numbers = {variant.id: len(progress.of(variant, "search")) for variant in progress.plan.trained}
    for variant in sorted(progress.plan.trained, key=lambda variant: numbers[variant.id]):
        if not progress.asked_all(variant):
            return Ask(variant, numbers[variant.id])
    return None


def _completion(progress: Progress) -> Step | None:
    """Return the search trial that trains a variant's best pruned one to its last epoch."""
    for variant in progress.plan.trained:
        if found := progress.to_complete(variant):
            return Ask(variant, len(progress.of(variant, "search")), found.spec.params)
    return None


def _confirm(progress: Progress) -> Step | None:
    """Return the next confirmation of the variant that had fewest, among those whose search is over."""
    plan = progress.plan
    for variant in sorted(plan.trained, key=lambda variant: len(progress.of(variant, "confirm"))):
        number = len(progress.of(variant, "confirm"))
        winner = progress.winner(variant) if progress.searched(variant) else None
        if winner is not None and number < len(replicates(plan, variant)):
            return Start(_confirmation(plan, variant, number, Configuration(winner.spec.tree, winner.spec.params)))
    return None


def _label_control(progress: Progress) -> Step | None:
    """Return the baseline's best configuration on shuffled training labels, if the study asks for it."""
    plan = progress.plan
    for variant in plan.variants:
        winner = progress.winner(variant) if progress.searched(variant) else None
        if winner is not None and len(progress.of(variant, "control")) < progress.label_controls(variant):
            tree = {**winner.spec.tree, "train": {**winner.spec.tree["train"], "shuffle_labels": True}}
            found = Configuration(tree, winner.spec.params)
            return Start(_spec(plan, variant, "control", 0, found, replicates(plan, variant)[0]))
    return None


def _confirmation(plan: Plan, variant: VariantPlan, number: int, found: Configuration) -> TrialSpec:
    return _spec(plan, variant, "confirm", number, found, replicates(plan, variant)[number])


def _spec(
    plan: Plan, variant: VariantPlan, stage: Stage, number: int, found: Configuration, own: Replicate | None = None
) -> TrialSpec:
    tree, fold = found.tree, own.fold if own else None
    digest = str(variant.facts.get("digest", plan.dataset_digest))
    if fold is not None and variant.kind == "trained":
        tree = {**tree, "dataset": of_fold(tree["dataset"], fold, int(plan.confirm["folds"]))}
        digests = variant.facts.get("fold_digests", ())
        digest = str(digests[fold]) if digests else ""
    return TrialSpec(
        study=plan.study,
        study_id=plan.study_id,
        budget=plan.budget,
        variant=variant.name,
        variant_id=variant.id,
        stage=stage,
        number=number,
        seed=own.seed if own else int(plan.search.get("seed", 0)),
        fold=fold,
        tree=tree,
        params=found.params,
        objective=plan.objective,
        metrics=plan.metrics,
        metric_tables=plan.metric_tables,
        explain=plan.explain if stage == "confirm" else {},
        digest=digest,
        plugins=plan.plugins,
        code=variant.code,
    )
