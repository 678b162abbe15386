"""What reaches MLflow, and that it reaches it once."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import harness.study.journal.journal as kinds
from harness.adapters.mlflow.client import connect
from harness.adapters.mlflow.runs import Runs
from harness.adapters.mlflow.store import MlflowObserver, Sender
from harness.adapters.mlflow.summary import means, paired
from harness.contract.types import Plan, TrialSpec
from harness.study.journal.journal import Journal
from harness.study.journal.plan_io import plan_to_json
from harness.testing.scripted import scripted_plan

# MLflow's own queries use an option that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

COUNTS = {"train": {"images": 6, "benign": 2}, "test": {"images": 3, "benign": 1}}


def plan_of_two(**changes: Any) -> Plan:
    base = {"quality": {"float": [0.0, 1.0]}, "name": "x"}
    return scripted_plan({"a": base, "b": base | {"name": "y"}}, trials=2, dataset_digest="d" * 64, **changes)


def write_study(folder: Path, plan: Plan, finish: bool = True) -> Journal:
    """A whole study: of each variant one complete, one failed trial, and two confirmations that left a file."""
    journal = Journal(folder / "journal.jsonl")
    journal.append(kinds.STUDY_STARTED, plan=json.loads(plan_to_json(plan)), attempt=1, pid=1, host="h")
    for number in range(plan.trials):
        for place, variant in enumerate(plan.variants):
            write_trial(journal, spec_of(plan, variant.name, "search", number), 0.6 + 0.1 * place, failed=number == 1)
    for number, seed in enumerate(plan.confirm["seeds"]):
        for place, variant in enumerate(plan.variants):
            spec = spec_of(plan, variant.name, "confirm", number, seed)
            (folder / "trials" / spec.id).mkdir(parents=True)
            (folder / "trials" / spec.id / "predictions.parquet").write_bytes(b"table")
            write_trial(journal, spec, 0.6 + 0.1 * place + 0.02 * seed, files=["predictions.parquet"])
    if finish:
        journal.append(kinds.STUDY_FINISHED)
    return journal


def write_trial(
    journal: Journal, spec: TrialSpec, auroc: float, failed: bool = False, files: Iterable[str] = ()
) -> None:
    journal.append(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))
    journal.append(kinds.TRIAL_STARTED, trial=spec.id, pid=1)
    for number in (1, 2):
        write_epoch(journal, spec.id, number, auroc)
    metrics = {"val/auroc": auroc} | ({"test/auroc": auroc} if spec.stage == "confirm" else {})
    result = {"state": "failed", "value": float("nan"), "reason": "NaN loss"} if failed else {"state": "complete"}
    result = {"value": auroc, "reason": "", "metrics": metrics, "best_epoch": 2, "epochs": 2, "seconds": 2.0} | result
    ledger = {"masks": {"test": 3}} if spec.stage == "confirm" else {}
    journal.append(kinds.TRIAL_FINISHED, trial=spec.id, **result, files=list(files), ledger=ledger)


def write_epoch(journal: Journal, trial: str, number: int, auroc: float) -> None:
    metrics = {"train/loss": 1 / number, "val/auroc": auroc, "val/auroc/mass (spiculated)": auroc}
    numbers = {"value": auroc, "smoothed": auroc, "seconds": 1.0, "waited": 0.1}
    journal.append(kinds.EPOCH, trial=trial, number=number, metrics=metrics, **numbers, phase="")


def spec_of(plan: Plan, variant: str, stage: Any, number: int, seed: int = 0) -> TrialSpec:
    found = next(item for item in plan.variants if item.name == variant)
    return TrialSpec(
        study=plan.study,
        study_id=plan.study_id,
        budget=plan.budget,
        variant=variant,
        variant_id=found.id,
        stage=stage,
        number=number,
        seed=seed,
        tree={**found.tree, "model": {**found.tree["model"], "quality": 0.5}},
        params={"model.quality": 0.5},
        digest=plan.dataset_digest,
    )


def send(uri: str, folder: Path, **options: Any) -> Sender:
    sender = Sender(uri, folder, folder / "mlartifacts", **options)
    sender.send()
    sender.close()
    return sender


def stored(uri: str, study: str = "scripted") -> dict[str, Any]:
    """Every run of a study by the harness's name for it."""
    client = connect(uri)
    found = client.get_experiment_by_name(study)
    return {run.data.tags["harness.key"]: run for run in client.search_runs([found.experiment_id])}


def histories(uri: str) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """Every point of every metric, by run and metric."""
    client = connect(uri)
    return {
        (key, metric): [(point.step, str(point.value)) for point in client.get_metric_history(run.info.run_id, metric)]
        for key, run in stored(uri).items()
        for metric in run.data.metrics
    }


def test_runs_are_study_variants_trials(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    write_study(tmp_path, plan)
    send(mlflow_uri, tmp_path)
    runs = stored(mlflow_uri)
    parents = {key: run.data.tags.get("mlflow.parentRunId") for key, run in runs.items()}
    assert len(runs) == 1 + 2 + 2 * (2 + 2)
    assert parents["study"] is None
    for variant in plan.variants:
        assert parents[variant.id] == runs["study"].info.run_id
        for stage in ("search", "confirm"):
            assert parents[spec_of(plan, variant.name, stage, 1).id] == runs[variant.id].info.run_id


def test_a_variant_shows_its_test_means_and_the_paired_difference(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    write_study(tmp_path, plan)
    send(mlflow_uri, tmp_path)
    metrics = stored(mlflow_uri)[plan.variants[1].id].data.metrics
    assert metrics["test/auroc"] == pytest.approx(0.71)
    assert metrics["test/auroc_std"] == pytest.approx(0.02 / 2**0.5)
    assert metrics["difference/test/auroc"] == pytest.approx(0.1)
    assert metrics["search/best"] == pytest.approx(0.7)
    assert metrics["confirmed"] == 2 and next(iter(metrics)) == "test/auroc"
    tags = stored(mlflow_uri)[plan.variants[1].id].data.tags
    assert tags["trials.search"] == "1 complete, 1 failed" and tags["trials.confirm"] == "2 complete"


def test_two_variants_can_be_distinguished_by_their_parameters(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    write_study(tmp_path, plan)
    send(mlflow_uri, tmp_path)
    runs = stored(mlflow_uri)
    first, second = (runs[variant.id].data.params for variant in plan.variants)
    assert {key for key in first if first[key] != second[key]} == {"model.name"}
    assert first["model.quality"] == "float [0, 1]"


def test_every_run_is_ended_and_says_how(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    write_study(tmp_path, plan)
    send(mlflow_uri, tmp_path)
    runs = stored(mlflow_uri)
    failed = runs[spec_of(plan, "a", "search", 1).id]
    assert failed.info.status == "FAILED" and failed.data.tags["reason"] == "NaN loss"
    others = {run.info.status for run in runs.values() if run is not failed and run.data.tags.get("state") != "failed"}
    assert others == {"FINISHED"}


def test_a_pruned_trial_is_finished_and_tagged(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    journal = write_study(tmp_path, plan, finish=False)
    spec = spec_of(plan, "a", "search", 7)
    journal.append(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))
    write_epoch(journal, spec.id, 1, 0.5)
    ended = {"state": "pruned", "value": 0.5, "metrics": {}, "best_epoch": 1, "epochs": 1, "seconds": 1.0, "reason": ""}
    journal.append(kinds.TRIAL_FINISHED, trial=spec.id, **ended, files=[], ledger={})
    send(mlflow_uri, tmp_path)
    run = stored(mlflow_uri)[spec.id]
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "pruned")


def test_data_masks_seed_and_files_can_be_looked_up(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    write_study(tmp_path, plan)
    send(mlflow_uri, tmp_path, counts=lambda: COUNTS)
    run = stored(mlflow_uri)[spec_of(plan, "b", "confirm", 1).id]
    assert run.data.tags["seed"] == "1" and json.loads(run.data.tags["masks"]) == {"test": 3}
    data = run.inputs.dataset_inputs[0].dataset
    assert (data.name, data.digest) == ("squares", "d" * 36)
    assert json.loads(data.profile)["train"] == COUNTS["train"]
    assert [item.path for item in connect(mlflow_uri).list_artifacts(run.info.run_id)] == ["predictions.parquet"]


def test_the_plan_and_the_report_are_artifacts_of_the_study(tmp_path: Path, mlflow_uri: str) -> None:
    write_study(tmp_path, plan_of_two())
    send(mlflow_uri, tmp_path)
    (tmp_path / "report" / "overlays").mkdir(parents=True)
    (tmp_path / "report" / "report.md").write_text("# A report")
    (tmp_path / "report" / "overlays" / "one.png").write_bytes(b"picture")
    send(mlflow_uri, tmp_path)
    client, run = connect(mlflow_uri), stored(mlflow_uri)["study"]
    assert {item.path for item in client.list_artifacts(run.info.run_id)} == {"plan.json", "report"}
    assert [item.path for item in client.list_artifacts(run.info.run_id, "report/overlays")] == [
        "report/overlays/one.png"
    ]


def test_a_second_time_changes_nothing(tmp_path: Path, mlflow_uri: str) -> None:
    write_study(tmp_path, plan_of_two())
    send(mlflow_uri, tmp_path)
    runs, points = set(stored(mlflow_uri)), histories(mlflow_uri)
    (tmp_path / "tracking.json").unlink()
    send(mlflow_uri, tmp_path)
    assert set(stored(mlflow_uri)) == runs and histories(mlflow_uri) == points


@pytest.mark.parametrize("text", ['{"offs', "null", ""])
def test_a_damaged_memory_of_what_was_sent_costs_a_comparison_and_nothing_else(
    tmp_path: Path, mlflow_uri: str, text: str
) -> None:
    write_study(tmp_path, plan_of_two())
    send(mlflow_uri, tmp_path)
    runs, points = set(stored(mlflow_uri)), histories(mlflow_uri)
    (tmp_path / "tracking.json").write_text(text)
    send(mlflow_uri, tmp_path)
    assert set(stored(mlflow_uri)) == runs and histories(mlflow_uri) == points


def test_an_epoch_that_a_resumed_trial_repeats_is_reported_once(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    journal = write_study(tmp_path, plan, finish=False)
    spec = spec_of(plan, "a", "search", 7)
    journal.append(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))
    for number in (1, 2, 2, 3):
        write_epoch(journal, spec.id, number, 0.5)
    send(mlflow_uri, tmp_path)
    assert [step for step, _ in histories(mlflow_uri)[spec.id, "val/auroc"]] == [1, 2, 3]


def test_an_interrupted_trial_is_killed_and_runs_again_when_resumed(tmp_path: Path, mlflow_uri: str) -> None:
    plan = plan_of_two()
    journal = Journal(tmp_path / "journal.jsonl")
    plan_json = json.loads(plan_to_json(plan))
    journal.append(kinds.STUDY_STARTED, plan=plan_json, attempt=1, pid=1, host="h")
    spec = spec_of(plan, "a", "search", 0)
    journal.append(kinds.TRIAL_ASKED, trial=spec.id, spec=json.loads(spec.to_json()))
    journal.append(kinds.TRIAL_STARTED, trial=spec.id, pid=1)
    journal.append(kinds.TRIAL_INTERRUPTED, trial=spec.id, reason="Ctrl-C")
    journal.append(kinds.STUDY_PAUSED, reason="Ctrl-C")
    send(mlflow_uri, tmp_path)
    assert {run.info.status for run in stored(mlflow_uri).values()} == {"KILLED"}
    journal.append(kinds.STUDY_STARTED, plan=plan_json, attempt=2, pid=1, host="h")
    journal.append(kinds.TRIAL_STARTED, trial=spec.id, pid=2)
    send(mlflow_uri, tmp_path)
    assert {run.info.status for run in stored(mlflow_uri).values()} == {"RUNNING"}


def test_a_study_that_is_started_anew_gets_runs_of_its_own(tmp_path: Path, mlflow_uri: str) -> None:
    for attempt in ("first", "second"):
        write_study(tmp_path / attempt, plan_of_two())
        send(mlflow_uri, tmp_path / attempt)
    client = connect(mlflow_uri)
    found = client.search_runs([client.get_experiment_by_name("scripted").experiment_id], "tags.stage = 'study'")
    assert len(found) == 2


def test_the_observer_follows_a_growing_journal(tmp_path: Path, mlflow_uri: str) -> None:
    observer = MlflowObserver(Sender(mlflow_uri, tmp_path, tmp_path / "mlartifacts"))
    journal = write_study(tmp_path, plan_of_two())
    for event in journal.read():
        observer.event(event)
    assert observer.close(60.0) == 0
    assert len(stored(mlflow_uri)) == 11


@pytest.mark.parametrize(("silent", "problem"), [(False, "Connection refused"), (True, "no answer in time")])
def test_a_server_that_is_down_or_hangs_delays_nothing_and_is_sent_to_later(
    tmp_path: Path, mlflow_uri: str, silent: bool, problem: str
) -> None:
    journal = write_study(tmp_path, plan_of_two())
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, and never answers
        port = server.getsockname()[1] if silent else 9
        observer = MlflowObserver(Sender(f"http://127.0.0.1:{port}", tmp_path, tmp_path / "mlartifacts"))
        _give_up(observer, journal, problem)
    send(mlflow_uri, tmp_path)
    assert len(stored(mlflow_uri)) == 11


def _give_up(observer: MlflowObserver, journal: Journal, problem: str) -> None:
    started = time.monotonic()
    for event in journal.read():
        observer.event(event)
    assert time.monotonic() - started < 1
    assert observer.close(60.0) == len(journal.read())
    assert observer.problem == problem
    assert time.monotonic() - started < 45


SEND = """
import sys, time
from pathlib import Path
from harness.adapters.mlflow import store
store.CHUNK = 3
folder = Path(sys.argv[2])
store.Sender(sys.argv[1], folder, folder / "mlartifacts").send()
time.sleep(60)
"""


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.2])
def test_a_sender_killed_in_the_middle_sends_each_event_once(tmp_path: Path, mlflow_uri: str, delay_s: float) -> None:
    write_study(tmp_path, plan_of_two())
    with subprocess.Popen([sys.executable, "-c", SEND, mlflow_uri, str(tmp_path)]) as process:
        wait_until(lambda: (tmp_path / "tracking.json").exists() or process.poll() is not None)
        time.sleep(delay_s)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it was too quick to be killed"
    send(mlflow_uri, tmp_path)
    runs = stored(mlflow_uri)
    assert len(runs) == connected(mlflow_uri) == 11
    assert all(len(points) == len(set(points)) for points in histories(mlflow_uri).values())
    assert all(run.info.status != "RUNNING" for run in runs.values())


def connected(uri: str) -> int:
    """How many runs there are, two of one name counted twice."""
    client = connect(uri)
    return len(client.search_runs([client.get_experiment_by_name("scripted").experiment_id]))


def wait_until(true: Any, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_means_leave_out_what_is_undefined() -> None:
    nan = float("nan")
    found = means(
        {0: {"test/auroc": 0.5, "val/auroc": 1.0}, 1: {"test/auroc": nan, "test/dice": nan}}, ("auroc", "dice")
    )
    assert found == {"confirmed": 2, "test/auroc": 0.5}


def test_differences_are_taken_at_equal_seeds_only() -> None:
    variant = {(0, None): {"test/auroc": 0.8}, (1, None): {"test/auroc": 0.6}, (2, None): {"test/auroc": 0.1}}
    baseline = {(0, None): {"test/auroc": 0.7}, (1, None): {"test/auroc": 0.6}}
    assert paired(variant, baseline, ("auroc",))["difference/test/auroc"] == pytest.approx(0.05)


def test_a_run_that_a_killed_sender_has_made_gets_its_parameters_from_the_next(tmp_path: Path, mlflow_uri: str) -> None:
    """It is made at once, and what is noted of it follows many events later."""
    write_study(tmp_path, plan_of_two())
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(Runs, "flush", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            send(mlflow_uri, tmp_path)
    assert not any(run.data.params for run in stored(mlflow_uri).values())
    send(mlflow_uri, tmp_path)
    runs = stored(mlflow_uri).values()
    assert all(run.data.params for run in runs if run.data.tags["stage"] != "study")  # this one's base is empty
    assert all(run.inputs.dataset_inputs for run in runs if run.data.tags["stage"] in ("variant", "confirm"))
