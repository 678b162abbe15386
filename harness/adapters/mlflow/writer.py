"""The layout of a study in MLflow: each event of a journal as runs, metrics, tags and artifacts.

The experiment is the study, with one run for each study_id. Its children are the variants, with the test means that
a reader compares; their children are the trials and confirmations.
"""

from __future__ import annotations

import getpass
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.mlflow.runs import Runs
from harness.adapters.mlflow.summary import means, paired
from harness.config.trees import brief, changes, flatten
from harness.contract.types import Plan, Replicate, VariantPlan
from harness.study.journal.journal import (
    EPOCH,
    STUDY_FINISHED,
    STUDY_PAUSED,
    STUDY_STARTED,
    TRIAL_ASKED,
    TRIAL_FINISHED,
    TRIAL_INTERRUPTED,
    TRIAL_MEASURED,
    TRIAL_STARTED,
    Event,
)
from harness.study.journal.plan_io import plan_from_json, plan_to_json
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.run.commit import commit_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

Counts = Mapping[str, Mapping[str, int]]
"""Split -> images, groups and positives of each class -> count."""
STUDY = "study"
STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED"}


class Writer:
    """A writer of events; `recall` reads the events of an earlier process without writing them.

    Args: as for `store.Sender`; `mark` identifies the journal among others of the same study.
    """

    def __init__(
        self,
        client: MlflowClient,
        folder: Path,
        mark: str,
        artifacts: str | None,
        counts: Callable[[], Counts] | None,
        weights: bool,
    ) -> None:
        self._client, self._folder, self._mark, self._artifacts = client, folder, mark, artifacts
        self._counts, self._weights = counts, weights
        self._state = StudyState(keep="open")
        self._plan_read: Plan | None = None
        self._counted: Counts | None = None
        self._made: Runs | None = None
        self._common: dict[str, Any] = {}

    def recall(self, events: Iterable[Event]) -> None:
        """Take in events that the store already has."""
        for event in events:
            self._state.apply(event)

    def write(self, events: Sequence[Event]) -> None:
        """Write events in their order; all have reached the store on return."""
        for event in events:
            before = self._state.trials.get(event.data.get("trial", ""))
            record = self._state.apply(event)
            if event.kind == STUDY_STARTED:
                self._study_started(event)
            elif event.kind in (STUDY_PAUSED, STUDY_FINISHED):
                self._study_ended(event)
            elif event.kind == TRIAL_ASKED:
                self._trial_asked(event)
            elif before is not None and record is not None:
                self._trial_went_on(event, before, record)
        self._runs.flush()

    def report(self, paths: Iterable[Path]) -> None:
        """Add files of the report to the study's run, in folder `report`."""
        for path in paths:
            self._runs.file(STUDY, path, str(Path("report") / path.relative_to(self._folder / "report").parent))

    def values(self, by_variant: Mapping[str, Mapping[str, float]]) -> None:
        """Add values to the variants' runs."""
        for variant, values in by_variant.items():
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            self._runs.note(variant, self._state.time, self._state.attempts, metrics=finite)
        self._runs.flush()

    @property
    def _plan(self) -> Plan:
        if self._plan_read is None:
            assert self._state.plan is not None, "a journal begins with study_started"
            self._plan_read = plan_from_json(self._state.plan)
        return self._plan_read

    @property
    def _runs(self) -> Runs:
        if self._made is None:
            plan = self._plan
            self._made = Runs(self._client, plan.study, self._mark, self._artifacts)
            self._common = {
                "study": plan.study,
                "study_id": plan.study_id,
                "budget": plan.budget,
                "dataset_digest": plan.dataset_digest,
                "plugins": ", ".join(f"{name} {version}" for name, version in plan.plugins.items()),
                "mlflow.source.name": str(plan.path),
                "mlflow.user": _user(),
            }
            if commit := commit_of(plan.path.parent):
                self._common["mlflow.source.git.commit"] = commit
        return self._made

    # Runs of the study and its variants
    def _study_started(self, event: Event) -> None:
        self._plan_read = None  # a resumed run may bring other variants
        plan, runs = self._plan, self._runs
        title = f"{plan.budget}-{plan.study_id[:8]}"
        tags = {**self._common, "stage": STUDY, "mlflow.note.content": _note(plan)}
        if runs.make(STUDY, title, event.time, None, tags):
            runs.note(STUDY, params=_params(plan.tree))
            self._dataset(STUDY, plan.tree)
        else:
            runs.revive(STUDY)
        runs.text(STUDY, plan_to_json(plan), "plan.json")
        for variant in plan.variants:
            self._variant_started(variant, event)

    def _variant_started(self, variant: VariantPlan, event: Event) -> None:
        differs = "\n".join(f"* `{line}`" for line in changes(self._plan.tree, variant.tree))
        tags = {
            **self._common,
            "stage": "variant",
            "variant": variant.name,
            "searched": ", ".join(variant.searched),
            "baseline": str(variant.name == self._plan.baseline).lower(),
            "supervision": "full" if "train_masks" in variant.needs else "weak",
            "mlflow.note.content": f"Differs from the study's base by\n\n{differs}" if differs else "The study's base.",
        }
        if self._runs.make(variant.id, variant.name, event.time, STUDY, tags):
            self._runs.note(variant.id, params=_params(variant.tree))
            self._dataset(variant.id, variant.tree)
        else:
            self._runs.revive(variant.id)

    def _study_ended(self, event: Event) -> None:
        plan, finished = self._plan, event.kind == STUDY_FINISHED
        baseline = next((variant.id for variant in plan.variants if variant.name == plan.baseline), "")
        against = self._confirmed(baseline)
        for variant in plan.variants:
            confirmed = self._confirmed(variant.id)
            if variant.id != baseline:
                gaps = paired(confirmed, against, plan.metrics)
                self._runs.note(variant.id, event.time, self._state.attempts, metrics=gaps)
            status = "FINISHED" if confirmed else "FAILED"
            self._runs.end(variant.id, status if finished else "KILLED", event.time)
        if reason := event.data.get("reason"):
            self._runs.note(STUDY, tags={"reason": reason})
        self._runs.end(STUDY, "FINISHED" if finished else "KILLED", event.time)

    # Runs of trials and confirmations
    def _trial_asked(self, event: Event) -> None:
        spec, name = event.data["spec"], event.data["trial"]
        title = f"{spec['variant']} {spec['stage']} {spec['number']}"
        tags = {
            **self._common,
            "stage": spec["stage"],
            "variant": spec["variant"],
            "seed": spec["seed"],
            "spec_id": name,
            "state": "running",
        }
        if spec.get("fold") is not None:
            tags["fold"] = spec["fold"]
        if self._runs.make(name, title, event.time, spec["variant_id"], tags):
            self._runs.note(name, params=_params(spec["tree"]))
            if spec["stage"] == "confirm":
                self._dataset(name, spec["tree"])

    def _trial_went_on(self, event: Event, before: TrialRecord, record: TrialRecord) -> None:
        name = record.spec.id
        if event.kind == TRIAL_STARTED and before.interrupted:
            self._runs.note(name, tags={"state": "running"})
            self._runs.revive(name)
        elif event.kind == EPOCH and record.furthest > before.furthest:
            # A resumed trial may repeat an epoch whose checkpoint was lost; the epoch is written once.
            self._runs.note(name, event.time, event.data["number"], metrics=_epoch_metrics(event.data))
        elif event.kind == TRIAL_INTERRUPTED:
            self._runs.note(name, tags={"state": "interrupted", "reason": event.data["reason"]})
            self._runs.end(name, "KILLED", event.time)
        elif event.kind == TRIAL_FINISHED:
            self._trial_finished(event, record)
        elif event.kind == TRIAL_MEASURED:
            self._runs.note(name, event.time, record.furthest, metrics=_best_metrics(event.data["metrics"], ()))
            self._files(name, event)
            self._summarise(record.spec.variant_id, event)

    def _trial_finished(self, event: Event, record: TrialRecord) -> None:
        name, data, runs = record.spec.id, event.data, self._runs
        metrics = _best_metrics(data["metrics"], self._plan.metrics)
        metrics |= {name: float(data[name]) for name in ("value", "best_epoch", "epochs", "seconds")}
        ledger = data.get("ledger", {})
        tags = {"state": data["state"], "masks": json.dumps(ledger.get("masks", {})), "reason": data["reason"]}
        runs.note(name, event.time, data["epochs"], metrics=metrics, tags={k: v for k, v in tags.items() if v})
        self._files(name, event)
        runs.end(name, STATUS[data["state"]], event.time)
        self._summarise(record.spec.variant_id, event)

    def _files(self, name: str, event: Event) -> None:
        for file in event.data.get("files", ()):
            path = self._folder / "trials" / name / file
            if path.exists() and (self._weights or path.suffix != ".safetensors"):
                self._runs.file(name, path)

    def _summarise(self, variant_id: str, event: Event) -> None:
        """Write a summary to the variant's run after each of its trials."""
        tally, confirmed = self._state.tally(variant_id), self._confirmed(variant_id)
        tags = {
            f"trials.{stage}": ", ".join(f"{n} {state}" for (of, state), n in tally.ended.items() if of == stage)
            for stage, _ in tally.ended
        }
        # Only tags until a model is confirmed: MLflow's comparison begins with the first metric of a run.
        metrics = means(confirmed, self._plan.metrics) if confirmed else {}
        if not math.isnan(tally.best):
            tags["search.best"] = f"{tally.best:.4f}"
            metrics |= {"search/best": tally.best} if metrics else {}
        self._runs.note(variant_id, event.time, tally.ended.total(), metrics=metrics, tags=tags)

    def _confirmed(self, variant_id: str) -> dict[Replicate, Mapping[str, float]]:
        """Return the metrics of the variant's confirmed models."""
        records = self._state.of_variant(variant_id, "confirm")
        return {
            record.spec.replicate: record.result.metrics
            for record in records
            if record.result and record.state == "complete"
        }

    def _dataset(self, name: str, tree: Mapping[str, Any]) -> None:
        table = tree.get("dataset")
        if not table:  # external predictions or an average
            return
        if self._counted is None:
            self._counted = self._counts() if self._counts else {}
        counts = self._counted
        rows = sum(split.get("images", 0) for split in counts.values())
        columns = [f"{split} {what}: {count}" for split, whats in counts.items() for what, count in whats.items()]
        schema = {"mlflow_colspec": [{"type": "long", "name": column, "required": True} for column in columns]}
        profile = {"num_rows": rows, **counts}
        digest = self._plan.dataset_digest
        source = json.dumps(table, sort_keys=True)
        self._runs.dataset(name, table["use"], digest, source, json.dumps(schema), json.dumps(profile))


def _best_metrics(metrics: Mapping[str, float], names: Collection[str]) -> dict[str, float]:
    """Return the metrics measured after training and, for the best epoch, the own validation metrics."""
    found = {}
    for name, value in metrics.items():
        split, _, rest = name.partition("/")
        if split not in ("train", "val"):
            found[name] = value
        elif split == "val" and rest.partition("/")[0] in names:
            found[f"best/{name}"] = value
    return found


def _epoch_metrics(data: Mapping[str, Any]) -> dict[str, float]:
    times = {"time/epoch_s": data.get("seconds", 0.0), "time/waiting_s": data.get("waited", 0.0)}
    return {**data["metrics"], "smoothed": data["smoothed"], **times}


def _params(tree: Mapping[str, Any]) -> dict[str, str]:
    leaves = flatten(tree).items()
    return {path: str(value) if isinstance(value, float) else brief(value) for path, value in leaves}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, where the user has no name
        return "unknown"


def _note(plan: Plan) -> str:
    skipped = "".join(f"\n* {skip.variant} was skipped: {skip.reason}" for skip in plan.skipped)
    demonstration = "\n\nA demonstration: small images, few trials." if plan.demonstration else ""
    return (
        f"{plan.question}{demonstration}\n\nThe runs with `stage = variant` hold means over seeds: compare those."
        f" Baseline: `{plan.baseline}`.\n{skipped}"
    )
