"""The driver and its recorder: a sampler and a tuner in a few lines, no Ray and no Optuna."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import InputError, MachineError
from harness.contract.types import UNBUILT, Epoch, Opening, Plan, TrialResult, TrialSpec, VariantPlan
from harness.study.journal.journal import Journal
from harness.study.journal.progress import Progress
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord
from harness.study.journal.writing import Ledger, digests_of
from harness.study.run import policy
from harness.study.run.driver import Driver
from harness.study.run.policy import DEATHS, Done, Start
from harness.study.run.recorder import Recorder
from harness.study.run.tuning import Configuration, Started
from harness.testing.scripted import scripted_plan

SEARCHED = {"quality": {"float": [0.0, 1.0]}}


class Listed:
    """A sampler whose answers are a function of the number; its store is a dictionary."""

    def __init__(self, size: int = 1000) -> None:
        self.told: dict[str, dict[int, str]] = {}
        self._size = size

    def sync(self, plan: Plan, state: StudyState) -> None:
        for record in state.trials.values():
            if record.result and record.spec.stage == "search":
                self.tell(record)

    def ask(self, variant: VariantPlan, number: int, params: Mapping[str, Any] | None = None) -> Configuration | None:
        if number >= self._size and params is None:
            return None
        params = params or {"model.quality": (number * 7 % 10) / 10}
        tree = json.loads(json.dumps(variant.tree))
        if variant.searched:
            tree["model"]["quality"] = params["model.quality"]
        return Configuration(tree, dict(params) if variant.searched else {})

    def tell(self, record: TrialRecord) -> None:
        assert record.result is not None
        self.told.setdefault(record.spec.variant_id, {})[record.spec.number] = record.result.state

    def states(self, variant_id: str) -> dict[int, str]:
        return self.told[variant_id]


def outcome_of(spec: TrialSpec) -> TrialResult:
    return TrialResult(state="complete", value=float(spec.tree["model"]["quality"]), epochs=1)


def opened(plan: Plan, folder: Path, sampler: Listed | None = None) -> Driver:
    driver = Driver(plan, sampler or Listed(), Recorder(folder, folder / "ledger.jsonl"))
    driver.recorder.load()
    driver.open()
    return driver


def handed_out(driver: Driver) -> TrialSpec:
    step = driver.next()
    assert isinstance(step, Start)
    return step.spec


def never(spec: TrialSpec, epoch: Epoch) -> bool:
    return False


def always(spec: TrialSpec, epoch: Epoch) -> bool:
    return True


def finish(driver: Driver, spec: TrialSpec, result: TrialResult) -> None:
    assert driver.report(spec.id, result, never)


def drive(driver: Driver, end: Callable[[TrialSpec], TrialResult | str] = outcome_of) -> list[TrialSpec]:
    """Run all trials one after the other; `end` gives a result, or "prune" for a pruner's decision."""
    handed = []
    while isinstance(step := driver.next(), Start):
        handed.append(spec := step.spec)
        result = end(spec)
        epoch = Epoch(number=1, metrics={}, value=0.5, smoothed=spec.tree["model"]["quality"])
        items = [Started(1, "elsewhere"), epoch, *([result] if isinstance(result, TrialResult) else [])]
        over = [driver.report(spec.id, item, always if result == "prune" else never) for item in items]
        assert over == [False] * (len(items) - 1) + [True]
        assert len(handed) < 1000, "it goes on for ever"
    assert step == Done()
    driver.close()
    return handed


def test_the_sampler_has_the_end_of_each_trial_the_completed_one_too(tmp_path: Path) -> None:
    sampler = Listed()
    driver = opened(scripted_plan({"a": SEARCHED}, trials=3), tmp_path, sampler)
    handed = drive(
        driver, lambda spec: "prune" if Progress(driver.plan, driver.state).prunable(spec) else outcome_of(spec)
    )
    extra = [spec for spec in handed if spec.stage == "search"][3:]
    assert [(spec.number, spec.params) for spec in extra] == [(3, {"model.quality": 0.7})]
    assert [spec.tree["model"]["quality"] for spec in handed if spec.stage == "confirm"] == [0.7, 0.7]
    assert [sampler.states(driver.plan.variants[0].id)[number] for number in range(4)] == 3 * ["pruned"] + ["complete"]


def test_a_space_that_the_sampler_has_exhausted_ends_the_search_of_its_variant_alone(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED, "fixed": {"quality": 0.5}}, trials=8)
    handed = drive(opened(plan, tmp_path, Listed(3)))
    assert Counter((spec.variant, spec.stage) for spec in handed) == {
        ("a", "search"): 3, ("fixed", "search"): 1, ("a", "confirm"): 2, ("fixed", "confirm"): 2
    }  # fmt: skip


def test_a_study_of_which_no_model_can_be_built_ends_at_once_and_goes_on_once_it_can(tmp_path: Path) -> None:
    plan, tried = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=3, seeds=(0,)), []

    def unbuilt(spec: TrialSpec) -> TrialResult:
        tried.append(spec.id)
        return TrialResult(state="failed", reason=f"{UNBUILT}: timm has no model named 'resnt'")

    for expected in (2, 3):
        driver = opened(plan, tmp_path)
        with pytest.raises(InputError, match="no model named 'resnt'"):
            drive(driver, unbuilt)
        driver.close()
        assert len(tried) == expected
    drive(opened(plan, tmp_path))
    driver = opened(plan, tmp_path)
    assert policy.is_complete(driver.plan, driver.state) and not Progress(driver.plan, driver.state).failures()


@pytest.mark.parametrize("reason", ["RuntimeError: no", f"{UNBUILT}: too large for b"])
def test_failures_of_other_kinds_or_reasons_end_no_study(tmp_path: Path, reason: str) -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=3)

    def fails(spec: TrialSpec) -> TrialResult:
        return TrialResult(state="failed", reason=reason if spec.variant == "b" else f"{UNBUILT}: too large for a")

    assert len(drive(opened(plan, tmp_path), fails)) == 6


def test_a_nan_objective_is_a_failure_whatever_the_trial_says(tmp_path: Path) -> None:
    sampler = Listed()
    driver = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path, sampler)
    drive(driver, lambda spec: TrialResult(state="complete", value=math.nan))
    assert sampler.states(driver.plan.variants[0].id) == {0: "failed"}
    assert Progress(driver.plan, driver.state).failures() == {"a": "the objective is NaN"}


def test_an_interrupted_trial_is_handed_out_again_with_its_number(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=2)
    driver = opened(plan, tmp_path)
    first = handed_out(driver)
    driver.report(first.id, Started(1, "elsewhere"), never)
    driver.stop.ask("Ctrl-C")
    assert driver.next() == Done()
    driver.close()
    assert [event.kind for event in driver.recorder.journal.read()[-2:]] == ["trial_interrupted", "study_paused"]
    handed = drive(opened(plan, tmp_path))
    assert [(spec.stage, spec.number) for spec in handed[:2]] == [("search", 0), ("search", 1)]
    assert handed[0] == first


def test_a_trial_that_kills_its_workers_fails_the_third_time_and_other_interruptions_do_not_count(
    tmp_path: Path,
) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=1)
    for attempt in range(5):  # ended by the user, again and again
        driver = opened(plan, tmp_path)
        handed_out(driver)
        driver.stop.ask(f"Ctrl-C {attempt}")
        driver.close()
    for _ in range(DEATHS):  # a new run each time: the count is the journal's
        driver = opened(plan, tmp_path)
        spec = handed_out(driver)
        assert spec.number == 0
        driver.lost(spec.id, "its process ended", died=True)
    assert driver.state.trials[spec.id].state == "failed"
    assert "died 3 times" in Progress(driver.plan, driver.state).failures()["a"]


def test_a_journal_cut_at_any_byte_leads_to_the_same_end(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, trials=2, seeds=(0,))
    end = {0.0: "prune"}

    def ends(spec: TrialSpec) -> TrialResult | str:
        return end.get(spec.tree["model"]["quality"], outcome_of(spec)) if spec.stage == "search" else outcome_of(spec)

    whole = opened(plan, tmp_path / "whole")
    drive(whole, ends)
    expected = {trial: record.state for trial, record in whole.state.trials.items()}
    data = whole.recorder.journal.path.read_bytes()
    cuts = [index for index, byte in enumerate(data) if byte == 10 or index % 997 == 0]
    for cut in cuts:
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.jsonl").write_bytes(data[:cut])
        kept = {
            trial
            for trial, record in StudyState.of(Journal(folder / "journal.jsonl").read()).trials.items()
            if record.result
        }
        driver = opened(plan, folder)
        handed = drive(driver, ends)
        assert kept.isdisjoint(spec.id for spec in handed), "a finished trial is never run again"
        assert {trial: record.state for trial, record in driver.state.trials.items()} == expected
        events = driver.recorder.journal.read()
        finished = Counter(event.data["trial"] for event in events if event.kind == "trial_finished")
        assert set(finished.values()) == {1}, "nothing is counted twice"


def test_files_and_the_ledger_are_written_before_the_journal_says_so(tmp_path: Path) -> None:
    driver = opened(scripted_plan({"a": SEARCHED}, trials=1, seeds=(0,), dataset_digest="d1"), tmp_path)
    result = TrialResult(state="complete", value=0.5, files={"deep/weights.bin": b"abc"})
    handed = drive(driver, lambda spec: result)
    assert (tmp_path / "trials" / handed[1].id / "deep" / "weights.bin").read_bytes() == b"abc"
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["digest"], line["trial"]) for line in lines] == [("d1", handed[1].id)]
    assert driver.state.trials[handed[0].id].result.files == {"deep/weights.bin": b""}, "bytes stay on disk"


def test_an_opening_is_counted_before_it_happens_and_once_an_attempt(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {"quality": 0.5}}, trials=1, seeds=(0,), dataset_digest="d1")
    ledger = tmp_path / "ledger.jsonl"
    driver = opened(plan, tmp_path)
    search = handed_out(driver)
    finish(driver, search, outcome_of(search))
    confirm = handed_out(driver)
    assert not ledger.exists()
    driver.report(confirm.id, Opening(), never)
    assert Ledger(ledger).openings({"d1"}) == 1

    again = opened(plan, tmp_path)  # the first driver is gone: killed while the model was tested
    assert handed_out(again) == confirm and Ledger(ledger).openings({"d1"}) == 1
    again.report(confirm.id, Opening(), never)
    finish(again, confirm, replace(outcome_of(confirm), ledger={"opened": ["train", "val", "test"]}))
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
    driver = opened(plan, tmp_path)
    spec = handed_out(driver)
    (tmp_path / "trials").write_text("a file where a folder should be")
    with pytest.raises(MachineError, match=r"weights.bin: cannot be written"):
        finish(driver, spec, TrialResult(state="complete", value=0.5, files={"weights.bin": b"abc"}))
    driver.close()
    (tmp_path / "trials").unlink()
    assert drive(opened(plan, tmp_path))[0] == spec


def test_a_file_name_that_climbs_out_of_the_trials_folder_is_refused(tmp_path: Path) -> None:
    driver = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path)
    spec = handed_out(driver)
    with pytest.raises(ValueError, match="must stay in its folder"):
        finish(driver, spec, TrialResult(state="complete", value=0.5, files={"../../evil": b""}))


def test_what_a_kill_left_of_a_checkpoint_goes_with_its_trial(tmp_path: Path) -> None:
    driver = opened(scripted_plan({"a": SEARCHED}, trials=1), tmp_path)
    spec = handed_out(driver)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in (f"{spec.id}.pt", f"{spec.id}.123.tmp", f"{spec.id}0.pt"):
        (folder / name).touch()
    finish(driver, spec, outcome_of(spec))
    assert [path.name for path in folder.iterdir()] == [f"{spec.id}0.pt"]


def test_ended_trials_keep_no_epochs_in_memory(tmp_path: Path) -> None:
    plan = scripted_plan({"a": SEARCHED}, trials=3)
    driver = opened(plan, tmp_path)
    assert len(drive(driver)) == 5 and not any(record.epochs for record in driver.state.trials.values())


def test_every_split_that_a_plan_tests_on_is_counted() -> None:
    plan = scripted_plan({"a": SEARCHED, "b": SEARCHED}, dataset_digest="base")
    one, two = plan.variants
    folds = replace(one, facts={"digest": "own", "fold_digests": ["fold 0", "fold 1"]})
    assert digests_of(replace(plan, variants=(folds, two))) == {"base", "own", "fold 0", "fold 1"}
