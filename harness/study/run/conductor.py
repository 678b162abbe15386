"""The conductor: decides which trial comes next, and writes down what became of each.

A state machine whose whole state is the journal: opened anew on it, it goes on where it was.
It starts no processes and knows neither Ray nor Optuna; a tuner drives it, a proposer serves it.
"""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.config.trees import of_fold
from harness.contract.errors import InputError
from harness.contract.types import WEIGHTS, Epoch, Plan, Stage, TrialResult, TrialSpec, VariantPlan, kind_of
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
    History,
    Journal,
    TrialRecord,
)
from harness.study.journal.progress import Progress, Repeat
from harness.study.journal.writing import Ledger, opened_test, remove_file, write_files
from harness.study.run.tuning import Pause, Proposal, Proposer

DEATHS = 3
"""A trial whose worker died this often is failed: it would go on for ever."""


class Conductor:
    """Hands out trials and records their ends; call `load` and `open` first, `close` last.

    Search trials of all variants are handed out in turn, so that equal budgets progress together.
    When a variant's search is over, its best complete trial is retrained over seeds; if it has
    none, its best pruned trial is first run to the end: an extra search trial, with the next number
    and the same parameters, which no stopper touches.

    Args:
        plan: what is to be run.
        folder: where the study's results stand.
        proposer: where configurations come from.
        ledger: the file that counts openings of test splits over all studies.
        remember: told the ids of processes, and `temporary=` a folder, that must not outlive this one.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        proposer: Proposer,
        ledger: Path,
        remember: Callable[..., None] = lambda *pids, temporary="": None,
    ) -> None:
        self.plan, self.folder = plan, folder
        self.journal = Journal(folder / "journal.jsonl")
        self.history = History()
        self.progress = Progress(plan)
        self.reason = ""
        self.break_off: Callable[[], None] = lambda: None  # set by a tuner that would not see `stopping` soon
        self.remember = remember
        self._proposer, self._ledger = proposer, Ledger(ledger)
        self._again: deque[TrialSpec] = deque()
        self._out: dict[str, TrialSpec] = {}
        self._deaths: Counter[str] = Counter()
        self._opened: set[str] = set()
        self._events: list[Event] = []

    # Opening and closing

    def load(self) -> None:
        """Reads the journal: what `complete` and `failures` say is known from here on."""
        self.journal.mend()
        self._events = self.journal.read()
        self.history = History.of(self._events)
        self.progress = Progress(self.plan, self.history.trials.values())
        self._again.extend(record.spec for record in self.history.trials.values() if self._due(record))

    def open(self, plan_json: Any = None) -> None:
        """Brings the proposer up to the journal, and writes that a run begins; `load` comes first.

        Raises:
            MachineError: the disk or the proposer's store failed.
        """
        self._deaths.update(event.data["trial"] for event in self._events if event.data.get("died"))
        left, self._events = _left_running(self._events), []
        if self.plan.trained:
            self._proposer.sync(replace(self.plan, variants=self.plan.trained), self.history)
        attempt = self.history.attempts + 1
        self._write(STUDY_STARTED, plan=plan_json, attempt=attempt, pid=os.getpid(), host=socket.gethostname())
        for spec in self._again:
            if spec.id in left:
                self._write(TRIAL_INTERRUPTED, trial=spec.id, reason="the earlier run ended without a word")

    def close(self) -> None:
        """Takes back every trial that is out, and writes how the run ended.

        Raises:
            MachineError: the disk failed.
        """
        reason = self.reason or "the run ended early"
        for trial in list(self._out):
            self.interrupted(trial, reason)
        if self.done:
            self._write(STUDY_FINISHED)
        else:
            self._write(STUDY_PAUSED, reason=reason)

    def stop(self, reason: str) -> None:
        """Asks the tuner to end; safe in a signal handler and from any thread. The first reason stands."""
        self.reason = self.reason or reason

    @property
    def stopping(self) -> bool:
        """Whether the run is to end before its work is done."""
        return bool(self.reason)

    @property
    def complete(self) -> bool:
        """Whether every trial of the plan has ended; asks the proposer for nothing."""
        return not self._out and not self._again and all(map(self.progress.over, self.plan.variants))

    @property
    def done(self) -> bool:
        """Whether the study is complete and each confirmation measured for all that the plan names."""
        return self.complete and not self.unmeasured()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Lets the handler of a signal break off what runs inside, and nothing else."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        self.break_off = interrupt
        try:
            if self.stopping:
                interrupt()
            yield
        finally:
            self.break_off = lambda: None

    @property
    def trained(self) -> bool:
        """Whether all that is to be trained has been: what is read or averaged is no tuner's business."""
        return not self._out and not self._again and all(map(self.progress.over, self.plan.trained))

    # Handing out

    def next(self) -> TrialSpec | Pause:
        """The trial to run now; a tuner that takes it reports `started`, epochs and an end."""
        if self.stopping:
            return Pause.DONE
        spec = self._again.popleft() if self._again else self._search() or self._confirm() or self._floor()
        if spec is None:
            return Pause.WAIT if self._out else Pause.DONE
        self._out[spec.id] = spec
        return spec

    def due(self, variant: VariantPlan) -> list[TrialSpec]:
        """The confirmations that a variant which is not trained still lacks; `derived` takes what they come to."""
        known = {record.spec.number: record for record in self.progress.of(variant, "confirm")}
        found = []
        for number, repeat in enumerate(self.progress.repeats(variant)):
            if number not in known:
                found.append(self._spec(variant, "confirm", number, Proposal(variant.tree, repeat.params), repeat))
            elif known[number].result is None:
                found.append(known[number].spec)
        return found

    def derived(self, spec: TrialSpec, result: TrialResult) -> None:
        """What a system's table, or an average, came to: asked, begun and ended in one."""
        if spec.id not in self.history.trials:
            self._write_asked(spec)
        self.started(spec.id, os.getpid())
        self.finished(spec.id, result)

    # Reports of the tuner

    def started(self, trial: str, pid: int, host: str = "") -> None:
        """A worker has begun the trial."""
        if host in ("", socket.gethostname()):
            self.remember(pid)
        self._write(TRIAL_STARTED, trial=trial, pid=pid)

    def epoch(self, trial: str, epoch: Epoch) -> None:
        """The trial has finished an epoch."""
        self._write(EPOCH, trial=trial, **asdict(epoch))

    def opening(self, trial: str) -> None:
        """The trial is about to open its test split: the ledger has it before that happens.

        So an opening is counted even if the trial is killed while it is tested, and its next attempt, which
        opens the split again, is counted again. Its result adds no line of its own.

        Raises:
            MachineError: the ledger cannot be written; the split stays closed.
        """
        self._ledger.note(self.history.trials[trial].spec)
        self._opened.add(trial)

    def finished(self, trial: str, result: TrialResult) -> None:
        """The trial has ended; a value of NaN is a failure whatever the trial says of itself.

        Raises:
            InputError: no variant's model can be built, all for one reason: other trials would fail alike.
        """
        record = self.history.trials[trial]
        if record.result is not None:
            return
        if result.state != "failed" and math.isnan(result.value) and kind_of(record.spec.tree) == "trained":
            result = replace(result, state="failed", reason="the objective is NaN")
        write_files(self.folder / "trials" / trial, result.files)
        if opened_test(record.spec, result) and trial not in self._opened:
            self._ledger.note(record.spec)  # it did not say so before
        self._opened.discard(trial)
        values = {name: getattr(result, name) for name in _RESULT_FIELDS}
        self._write(TRIAL_FINISHED, trial=trial, **values, files=sorted(result.files))
        self._out.pop(trial, None)
        for path in (self.folder / "checkpoints").glob(f"{trial}.*"):  # what a kill left half written too
            remove_file(path)
        if record.spec.stage == "search":
            self._proposer.tell(record)
        record.epochs = []  # the journal has them; thousands of trials need not stay in memory
        unbuilt = self.progress.unbuilt()
        if unbuilt and not self.complete:
            raise InputError(unbuilt)

    def unmeasured(self) -> list[TrialSpec]:
        """Confirmations that lack a metric or an explainer of the plan, as specs that ask for them."""
        plan, found = self.plan, []
        for variant in plan.variants:
            for record in self.progress.of(variant, "confirm"):
                lacks = set(plan.metrics) - set(record.spec.metrics) or dict(record.spec.explain) != dict(plan.explain)
                if record.state == "complete" and lacks:
                    found.append(replace(record.spec, metrics=plan.metrics, explain=plan.explain))
        return found

    def measured(self, spec: TrialSpec, result: TrialResult) -> None:
        """A confirmation was tested again: its tables are replaced, its figures added to."""
        folder, before = self.folder / "trials" / spec.id, self.history.trials[spec.id].result
        write_files(folder, result.files)
        if before is not None and result.files:  # of an average nothing is drawn anew
            for name in {*before.files} - {*result.files, WEIGHTS}:
                remove_file(folder / name)
        wanted = {"names": list(spec.metrics), "explain": spec.explain}
        self._write(TRIAL_MEASURED, trial=spec.id, metrics=result.metrics, files=sorted(result.files), **wanted)

    def stopped(self, trial: str) -> None:
        """A stopper has ended the trial: it counts with the best that the phase it was in had reached."""
        epochs, objective = self.history.trials[trial].epochs, self.plan.objective
        best = epochs[-1]  # of earlier phases the value may be another figure
        for epoch in [epoch for epoch in epochs if epoch.phase == best.phase]:
            best = epoch if objective.better(epoch.smoothed, best.smoothed) else best
        seconds = sum(epoch.seconds for epoch in epochs)
        result = TrialResult(state="pruned", value=best.smoothed, best_epoch=best.number, epochs=epochs[-1].number)
        self.finished(trial, replace(result, metrics=best.metrics, seconds=seconds))

    def interrupted(self, trial: str, reason: str, died: bool = False) -> None:
        """The trial was cut off from outside: it is handed out again, at no cost to the budget.

        Args:
            trial: its id.
            reason: what cut it off.
            died: its worker died; the third time the trial is failed, for it may be what kills them.
        """
        spec = self._out.pop(trial)
        self._opened.discard(trial)
        self._deaths[trial] += died
        if died and self._deaths[trial] >= DEATHS:
            self.finished(trial, TrialResult(state="failed", reason=f"its worker died {DEATHS} times: {reason}"))
            return
        self._write(TRIAL_INTERRUPTED, trial=trial, reason=reason, **({"died": True} if died else {}))
        self._again.append(spec)

    # Decisions

    def _search(self) -> TrialSpec | None:
        """The next search trial of the variant that had fewest; those that finish a stopped one come last."""
        progress = self.progress
        for variant in sorted(self.plan.trained, key=lambda variant: len(progress.of(variant, "search"))):
            number = len(progress.of(variant, "search"))
            if progress.asked_all(variant):
                continue
            proposal = self._proposer.ask(variant, number)
            if proposal is not None:
                return self._ask(variant, "search", number, proposal)
            progress.exhaust(variant)
        for variant in self.plan.trained:
            stopped = progress.to_finish(variant)
            if stopped is not None:
                number = len(progress.of(variant, "search"))
                proposal = self._proposer.ask(variant, number, stopped.spec.params)
                assert proposal is not None
                return self._ask(variant, "search", number, proposal)
        return None

    def _confirm(self) -> TrialSpec | None:
        """The next retraining of the variant that had fewest, among those whose search is over."""
        progress = self.progress
        for variant in sorted(self.plan.trained, key=lambda variant: len(progress.of(variant, "confirm"))):
            number = len(progress.of(variant, "confirm"))
            winner = progress.winner(variant) if progress.searched(variant) else None
            due = progress.repeats(variant)
            if winner is not None and number < len(due):
                proposal = Proposal(winner.spec.tree, winner.spec.params)
                return self._ask(variant, "confirm", number, proposal, due[number])
        return None

    def _floor(self) -> TrialSpec | None:
        """The baseline's best configuration on shuffled training labels, if the study asks for it."""
        progress = self.progress
        for variant in self.plan.variants:
            winner = progress.winner(variant) if progress.searched(variant) else None
            if winner is not None and len(progress.of(variant, "floor")) < progress.floors(variant):
                tree = {**winner.spec.tree, "train": {**winner.spec.tree["train"], "shuffle_labels": True}}
                return self._ask(variant, "floor", 0, Proposal(tree, winner.spec.params), progress.repeats(variant)[0])
        return None

    def _ask(
        self, variant: VariantPlan, stage: Stage, number: int, proposal: Proposal, repeat: Repeat | None = None
    ) -> TrialSpec:
        spec = self._spec(variant, stage, number, proposal, repeat)
        self._write_asked(spec)
        return spec

    def _spec(
        self, variant: VariantPlan, stage: Stage, number: int, proposal: Proposal, repeat: Repeat | None = None
    ) -> TrialSpec:
        plan, tree, fold = self.plan, proposal.tree, repeat.fold if repeat else None
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
            seed=repeat.seed if repeat else int(plan.search.get("seed", 0)),
            fold=fold,
            tree=tree,
            params=proposal.params,
            objective=plan.objective,
            metrics=plan.metrics,
            explain=plan.explain if stage == "confirm" else {},
            digest=digest,
            plugins=plan.plugins,
        )

    def _write_asked(self, spec: TrialSpec) -> None:
        self._write(TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))
        self.progress.add(self.history.trials[spec.id])

    def _due(self, record: TrialRecord) -> bool:
        ids = [variant.id for variant in self.plan.variants]  # a variant may have been edited or taken out since
        return record.result is None and record.spec.variant_id in ids and kind_of(record.spec.tree) == "trained"

    def _write(self, kind: str, **data: Any) -> None:
        self.journal.append(kind, **data)
        self.history.add(Event(kind, time.time(), data))


_RESULT_FIELDS = ("state", "value", "best_epoch", "epochs", "metrics", "reason", "seconds", "ledger")


def _left_running(events: list[Event]) -> set[str]:
    """The trials that a worker had begun and that neither ended nor were interrupted since."""
    running: set[str] = set()
    for event in events:
        if event.kind in (TRIAL_STARTED, EPOCH):
            running.add(event.data["trial"])
        elif event.kind in (TRIAL_FINISHED, TRIAL_INTERRUPTED):
            running.discard(event.data["trial"])
    return running
