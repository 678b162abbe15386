"""The conductor alone: a proposer and a driver loop in a few lines, no Ray and no Optuna."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import space
from harness.contract.errors import InputError, MachineError
from harness.contract.types import UNBUILT, Epoch, Plan, TrialResult, TrialSpec, VariantPlan
from harness.study.journal.journal import History, Journal, TrialRecord
from harness.study.journal.writing import Ledger, digests_of
from harness.study.run.conductor import DEATHS, Conductor
from harness.study.run.tuning import Pause, Proposal
from harness.testing.scripted import scripted_plan

SEARCHED = {"quality": {"float": [0.0, 1.0]}}


class Listed:
    """A proposer whose answers are a function of the number; its store is a dictionary."""

    def __init__(self, size: int = 1000) -> None:
        self.told: dict[str, dict[int, str]] = {}
        self._size = size

    def sync(self, plan: Plan, history: History) -> None:
        for record in history.trials.values():
            if record.result and record.spec.stage == "search":
                self.tell(record)

    def ask(self, variant: VariantPlan, number: int, params: Mapping[str, Any] | None = None) -> Proposal | None:
        if number >= self._size and params is None:
            return None
        params = params or {"model.quality": (number * 7 % 10) / 10}
        tree = json.loads(json.dumps(variant.tree))
        if variant.searched:
            tree["model"]["quality"] = params["model.quality"]
        return Proposal(tree, dict(params) if variant.searched else {})

    def tell(self, record: TrialRecord) -> None:
        assert record.result is not None
        self.told.setdefault(record.spec.variant_id, {})[record.spec.number] = record.result.state

    def states(self, variant_id: str) -> dict[int, str]:
        return self.told[variant_id]


def outcome_of(spec: TrialSpec) -> TrialResult:
    return TrialResult(state="complete", value=float(spec.tree["model"]["quality"]), epochs=1)


def opened(plan: Plan, folder: Path, proposer: Listed | None = None) -> Conductor:
    conductor = Conductor(plan, folder, proposer or Listed(), folder / "ledger.jsonl")
    conductor.load()
    conductor.open()
    return conductor


def drive(conductor: Conductor, end: Callable[[TrialSpec], TrialResult | str] = outcome_of) -> list[TrialSpec]:
    """Runs all trials one after the other; `end` gives a result, or "stop" for a stopper's decision."""
    handed = []
    while isinstance(spec := conductor.next(), TrialSpec):
        handed.append(spec)
        conductor.started(spec.id, 1)
        conductor.epoch(spec.id, Epoch(number=1, metrics={}, value=0.5, smoothed=spec.tree["model"]["quality"]))
        result = end(spec)
        conductor.stopped(spec.id) if result == "stop" else conductor.finished(spec.id, result)
        assert len(handed) < 1000, "it goes on for ever"
    assert spec is Pause.DONE
    conductor.close()
    return handed


def test_variants_take_turns_and_the_best_trial_is_retrained_once_a_seed(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=3, seeds=(4, 9))
    conductor = opened(plan, tmp_path)
    handed = drive(conductor)
    assert [(spec.variant, spec.stage, spec.number) for spec in handed[:6]] == [
        (name, "search", number) for number in range(3) for name in "ab"
    ]
    assert [(spec.variant, spec.seed) for spec in handed[6:]] == [("a", 4), ("b", 4), ("a", 9), ("b", 9)]
    assert all(spec.tree["model"]["quality"] == 0.7 and spec.stage == "confirm" for spec in handed[6:])
    assert conductor.complete and not conductor.progress.failures()
    assert conductor.journal.read()[-1].kind == "study_finished"


def test_a_stopped_trial_counts_with_the_best_of_the_phase_it_was_in(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path)
    spec = conductor.next()
    assert isinstance(spec, TrialSpec)
    conductor.started(spec.id, 1)
    for number, (phase, value) in enumerate([("global", 0.9), ("local", 0.6), ("local", 0.7), ("local", 0.65)], 1):
        conductor.epoch(spec.id, Epoch(number=number, metrics={}, value=value, smoothed=value, phase=phase))
    conductor.stopped(spec.id)
    result = conductor.history.trials[spec.id].result
    assert result is not None and (result.value, result.best_epoch, result.epochs) == (0.7, 3, 4)
    conductor.close()


def test_a_variant_with_nothing_to_search_is_tried_once(tmp_path: Path) -> None:
    handed = drive(opened(scripted_plan({"a": {"quality": 0.5}}, trials=8), tmp_path))
    assert Counter(spec.stage for spec in handed) == {"search": 1, "confirm": 2}


def test_an_exhausted_space_ends_the_search_early_and_a_finished_study_stays_finished(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=8)
    assert Counter(spec.stage for spec in drive(opened(plan, tmp_path, Listed(3)))) == {"search": 3, "confirm": 2}
    again = Conductor(plan, tmp_path, Listed(3), tmp_path / "ledger.jsonl")
    again.load()
    assert again.complete


def test_every_fold_of_every_seed_is_retrained(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=1, confirm={"seeds": [0, 1], "folds": 2})
    confirm = [spec for spec in drive(opened(plan, tmp_path)) if spec.stage == "confirm"]
    assert [(spec.seed, spec.fold) for spec in confirm] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [spec.tree["dataset"]["fold"] for spec in confirm] == [0, 1, 0, 1]


def test_only_complete_trials_win_however_good_a_stopped_one_looked(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=3), tmp_path)
    handed = drive(conductor, lambda spec: "stop" if spec.params["model.quality"] == 0.7 else outcome_of(spec))
    assert {spec.tree["model"]["quality"] for spec in handed if spec.stage == "confirm"} == {0.4}


def test_the_best_stopped_trial_is_run_to_its_end_where_none_was_complete(tmp_path: Path) -> None:
    proposer = Listed()
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=3), tmp_path, proposer)
    handed = drive(conductor, lambda spec: "stop" if conductor.progress.stoppable(spec) else outcome_of(spec))
    extra = [spec for spec in handed if spec.stage == "search"][3:]
    assert [(spec.number, spec.params) for spec in extra] == [(3, {"model.quality": 0.7})]
    assert [spec.tree["model"]["quality"] for spec in handed if spec.stage == "confirm"] == [0.7, 0.7]
    assert [proposer.states(conductor.plan.variants[0].id)[number] for number in range(4)] == 3 * ["pruned"] + [
        "complete"
    ]


def test_a_variant_whose_trials_all_failed_has_failed_with_the_first_reason(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"bad": SEARCHED, "good": SEARCHED}, trials=2), tmp_path)

    def end(spec: TrialSpec) -> TrialResult:
        failed = TrialResult(state="failed", reason=f"no memory for {spec.number}")
        return failed if spec.variant == "bad" else outcome_of(spec)

    handed = drive(conductor, end)
    assert conductor.complete and conductor.progress.failures() == {"bad": "no memory for 0"}
    assert {spec.variant for spec in handed if spec.stage == "confirm"} == {"good"}


def test_a_study_of_which_no_model_can_be_built_ends_at_once_and_goes_on_once_it_can(tmp_path: Path) -> None:
    plan, tried = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=3, seeds=(0,)), []

    def unbuilt(spec: TrialSpec) -> TrialResult:
        tried.append(spec.id)
        return TrialResult(state="failed", reason=f"{UNBUILT}: timm has no model named 'resnt'")

    for expected in (2, 3):
        conductor = opened(plan, tmp_path)
        with pytest.raises(InputError, match="no model named 'resnt'"):
            drive(conductor, unbuilt)
        conductor.close()
        assert len(tried) == expected
    drive(opened(plan, tmp_path))
    conductor = opened(plan, tmp_path)
    assert conductor.complete and not conductor.progress.failures()


@pytest.mark.parametrize("reason", ["RuntimeError: no", f"{UNBUILT}: too large for b"])
def test_failures_of_other_kinds_or_reasons_end_no_study(tmp_path: Path, reason: str) -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=3)

    def fails(spec: TrialSpec) -> TrialResult:
        return TrialResult(state="failed", reason=reason if spec.variant == "b" else f"{UNBUILT}: too large for a")

    assert len(drive(opened(plan, tmp_path), fails)) == 6


def test_a_nan_objective_is_a_failure_whatever_the_trial_says(tmp_path: Path) -> None:
    proposer = Listed()
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path, proposer)
    drive(conductor, lambda spec: TrialResult(state="complete", value=math.nan))
    assert proposer.states(conductor.plan.variants[0].id) == {0: "failed"}
    assert conductor.progress.failures() == {"a": "the objective is NaN"}


def test_an_interrupted_trial_is_handed_out_again_with_its_number(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=2)
    conductor = opened(plan, tmp_path)
    first = conductor.next()
    assert isinstance(first, TrialSpec)
    conductor.started(first.id, 1)
    conductor.stop("Ctrl-C")
    assert conductor.next() is Pause.DONE
    conductor.close()
    assert [event.kind for event in conductor.journal.read()[-2:]] == ["trial_interrupted", "study_paused"]
    handed = drive(opened(plan, tmp_path))
    assert [(spec.stage, spec.number) for spec in handed[:2]] == [("search", 0), ("search", 1)]
    assert handed[0] == first


def test_a_trial_that_kills_its_workers_fails_the_third_time_and_other_interruptions_do_not_count(
    tmp_path: Path,
) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=1)
    for attempt in range(5):  # ended by the user, again and again
        conductor = opened(plan, tmp_path)
        assert isinstance(conductor.next(), TrialSpec)
        conductor.stop(f"Ctrl-C {attempt}")
        conductor.close()
    for _ in range(DEATHS):  # a new run each time: the count is the journal's
        conductor = opened(plan, tmp_path)
        spec = conductor.next()
        assert isinstance(spec, TrialSpec) and spec.number == 0
        conductor.interrupted(spec.id, "its process ended", died=True)
    assert conductor.history.trials[spec.id].state == "failed"
    assert "died 3 times" in conductor.progress.failures()["a"]


def test_a_journal_cut_at_any_byte_leads_to_the_same_end(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=2, seeds=(0,))
    end = {0.0: "stop"}

    def ends(spec: TrialSpec) -> TrialResult | str:
        return end.get(spec.tree["model"]["quality"], outcome_of(spec)) if spec.stage == "search" else outcome_of(spec)

    whole = opened(plan, tmp_path / "whole")
    drive(whole, ends)
    expected = {trial: record.state for trial, record in whole.history.trials.items()}
    data = whole.journal.path.read_bytes()
    cuts = [index for index, byte in enumerate(data) if byte == 10 or index % 997 == 0]
    for cut in cuts:
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(data[:cut])
        kept = {
            trial
            for trial, record in History.of(Journal(folder / "journal.jsonl").read()).trials.items()
            if record.result
        }
        conductor = opened(plan, folder)
        handed = drive(conductor, ends)
        assert kept.isdisjoint(spec.id for spec in handed), "a finished trial is never run again"
        assert {trial: record.state for trial, record in conductor.history.trials.items()} == expected
        events = conductor.journal.read()
        finished = Counter(event.data["trial"] for event in events if event.kind == "trial_finished")
        assert set(finished.values()) == {1}, "nothing is counted twice"


def test_files_and_the_ledger_are_written_before_the_journal_says_so(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=1, seeds=(0,), dataset_digest="d1"), tmp_path)
    result = TrialResult(state="complete", value=0.5, files={"deep/weights.bin": b"abc"})
    handed = drive(conductor, lambda spec: result)
    assert (tmp_path / "trials" / handed[1].id / "deep" / "weights.bin").read_bytes() == b"abc"
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["digest"], line["trial"]) for line in lines] == [("d1", handed[1].id)]
    assert conductor.history.trials[handed[0].id].result.files == {"deep/weights.bin": b""}, "bytes stay on disk"


def test_an_opening_is_counted_before_it_happens_and_once_an_attempt(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"quality": 0.5}}, trials=1, seeds=(0,), dataset_digest="d1")
    ledger = tmp_path / "ledger.jsonl"
    conductor = opened(plan, tmp_path)
    search = conductor.next()
    assert isinstance(search, TrialSpec)
    conductor.finished(search.id, outcome_of(search))
    confirm = conductor.next()
    assert isinstance(confirm, TrialSpec) and not ledger.exists()
    conductor.opening(confirm.id)
    assert Ledger(ledger).openings({"d1"}) == 1

    again = opened(plan, tmp_path)  # the first driver is gone: killed while the model was tested
    assert again.next() == confirm and Ledger(ledger).openings({"d1"}) == 1
    again.opening(confirm.id)
    again.finished(confirm.id, replace(outcome_of(confirm), ledger={"opened": ["train", "val", "test"]}))
    assert Ledger(ledger).openings({"d1"}) == 2 and Ledger(ledger).openings({"d2"}) == 0


def test_a_torn_line_of_the_ledger_is_no_opening(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"quality": 0.5}}, trials=1, seeds=(0, 1), dataset_digest="d1")
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"digest": "d1", "tri')
    drive(opened(plan, tmp_path))
    assert Ledger(path).openings({"d1"}) == 2 and len(path.read_text().splitlines()) == 3
    assert Ledger(tmp_path / "none.jsonl").openings({"d1"}) is None


def test_a_disk_that_fails_is_the_machines_fault_and_the_trial_is_kept(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=1)
    conductor = opened(plan, tmp_path)
    spec = conductor.next()
    assert isinstance(spec, TrialSpec)
    (tmp_path / "trials").write_text("a file where a folder should be")
    with pytest.raises(MachineError, match=r"weights.bin: cannot be written"):
        conductor.finished(spec.id, TrialResult(state="complete", value=0.5, files={"weights.bin": b"abc"}))
    conductor.close()
    (tmp_path / "trials").unlink()
    assert drive(opened(plan, tmp_path))[0] == spec


def test_a_file_name_that_climbs_out_of_the_trials_folder_is_refused(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path)
    spec = conductor.next()
    assert isinstance(spec, TrialSpec)
    with pytest.raises(ValueError, match="must stay in its folder"):
        conductor.finished(spec.id, TrialResult(state="complete", value=0.5, files={"../../evil": b""}))


def test_smaller_is_better_where_the_objective_says_so(tmp_path: Path) -> None:
    from harness.contract.types import Objective

    plan = scripted_plan({"a": SEARCHED}, trials=3, objective=Objective(metric="val/loss", mode="min"))
    handed = drive(opened(plan, tmp_path))
    assert handed[-1].tree["model"]["quality"] == 0.0
    assert space.searched(plan.variants[0].tree) == ("model.quality",)


def test_a_trial_that_draws_a_stopped_configuration_again_may_be_stopped_as_any_other(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=12), tmp_path)  # after ten, `Listed` begins anew
    handed = drive(conductor, lambda spec: "stop" if spec.params["model.quality"] == 0.7 else outcome_of(spec))
    repeated = [spec for spec in handed if spec.stage == "search" and spec.params == {"model.quality": 0.7}]
    assert [spec.number for spec in repeated] == [1, 11]
    assert all(conductor.progress.stoppable(spec) for spec in repeated)


def test_what_a_kill_left_of_a_checkpoint_goes_with_its_trial(tmp_path: Path) -> None:
    conductor = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path)
    spec = conductor.next()
    assert isinstance(spec, TrialSpec)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (f"{spec.id}.pt", f"{spec.id}.123.tmp", f"{spec.id}0.pt"):
        (folder / name).touch()
    conductor.finished(spec.id, outcome_of(spec))
    assert [path.name for path in folder.iterdir()] == [f"{spec.id}0.pt"]


def test_ended_trials_keep_no_epochs_in_memory_and_search_has_the_studys_seed(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=3)
    conductor = opened(replace(plan, search={**plan.search, "seed": 7}), tmp_path)
    handed = drive(conductor)
    assert {spec.seed for spec in handed if spec.stage == "search"} == {7}
    assert len(handed) == 5 and not any(record.epochs for record in conductor.history.trials.values())


def test_of_equal_trials_the_first_is_retrained(tmp_path: Path) -> None:
    alike = TrialResult(state="complete", value=0.5, epochs=1)
    handed = drive(opened(scripted_plan({"a": SEARCHED}, trials=3), tmp_path), lambda spec: alike)
    first, *_, last = handed
    assert last.stage == "confirm" and last.params == first.params


def test_every_split_that_a_plan_tests_on_is_counted() -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, dataset_digest="base")
    one, two = plan.variants
    folds = replace(one, facts={"digest": "own", "fold_digests": ["fold 0", "fold 1"]})
    assert digests_of(replace(plan, variants=(folds, two))) == {"base", "own", "fold 0", "fold 1"}
