"""`harness study run` from a study file to a table, and everything around it, on a study of seconds."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import harness as package

Harness = Callable[..., Result]

# MLflow's own queries use an option that SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")

RUN = ("study", "run", "tiny.toml", "--tuner", "inline", "--budget", "quick")


def words(text: str) -> str:
    """What was said, without frames and line breaks."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


def test_a_run_ends_with_one_table_and_says_where_everything_is(finished: Any) -> None:
    assert finished.run.exit_code == 0, finished.run.output
    shown = finished.run.stdout
    table, ends = shown[shown.index("A demonstration") :].split("published claim")
    rows = [line.split()[0] for line in table.splitlines() if line.startswith((" narrow", " wide"))]
    assert rows == ["narrow", "wide"]
    assert "against narrow" in table and "mean over 2 seeds" in table
    assert "harness ui" in ends and "report.html" in ends


def test_progress_is_reported_in_plain_lines_where_there_is_no_terminal(finished: Any) -> None:
    lines = [line for line in finished.run.stdout.splitlines() if " | " in line]
    assert sum("complete" in line for line in lines) == 2 * (2 + 2)
    assert "narrow search 1/2: " in lines[0]
    assert "| 100 %" in lines[-1]


def test_a_finished_study_shows_its_table_and_trains_nothing(finished: Any) -> None:
    journal = next(finished.folder.glob("results/tiny/*/journal.jsonl"))
    before = journal.read_bytes()
    again = finished.harness(*RUN)
    assert "already finished" in again.stdout and "against narrow" in again.stdout
    assert journal.read_bytes() == before


def test_json_is_one_object_and_nothing_else(finished: Any) -> None:
    value = json.loads(finished.harness(*RUN, "--json").stdout)
    assert value["finished"] and value["exit_code"] == 0 and value["demonstration"]
    assert [row["variant"] for row in value["rows"]] == ["narrow", "wide"]
    assert value["rows"][0]["auroc_difference"] is None
    assert json.loads(finished.harness("study", "show", "tiny", "--json").stdout)["rows"] == value["rows"]


def test_json_of_a_finished_study_counts_what_was_never_sent(finished: Any) -> None:
    state = next(finished.folder.glob("results/tiny/*/tracking.json"))
    kept = state.read_text()
    state.unlink()
    try:
        value = json.loads(finished.harness(*RUN, "--json").stdout)
    finally:
        state.write_text(kept)
    assert value["unsent"] == len(state.with_name("journal.jsonl").read_text().splitlines())


def test_a_plan_tells_what_the_run_before_took(finished: Any) -> None:
    shown = words(finished.harness("study", "plan", "tiny.toml", "--budget", "quick").stdout)
    assert re.search(r"quick-[0-9a-f]{8} took \d+ \w+ on this machine", shown)


def test_wrong_input_found_in_a_worker_shows_the_panel_alone(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.api.execution import Execution
    from harness.study.run.run import Outcome

    wrong = Execution(Outcome(2, message="x.csv: no such file"), "", ran=True)
    monkeypatch.setattr("harness.api.execution.execute", lambda *_, **__: wrong)
    refused = finished.harness(*RUN, "--quiet")
    assert refused.exit_code == 2 and refused.stdout == ""
    assert words(refused.stderr) == "harness: the input is wrong x.csv: no such file"


def test_what_the_source_states_is_held_against_the_run_where_its_variants_were_run(finished: Any) -> None:
    (claim,) = json.loads(finished.harness("study", "show", "tiny", "--json").stdout)["claims"]
    rows = {row["variant"]: row for row in json.loads(finished.harness(*RUN, "--json").stdout)["rows"]}
    assert claim["better"] == "wide" and claim["difference"] == pytest.approx(rows["wide"]["auroc_difference"])
    assert "a wide network above a narrow one" in finished.harness("study", "show", "tiny").stdout


def files_below(folder: Path) -> set[str]:
    """Relative names."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("width", [60, 100])
def test_heads_are_rows_beneath_their_variant(finished: Any, width: int) -> None:
    table = finished.harness("study", "show", "tiny", "--heads", width=width).stdout
    first = [line.split()[0] for line in table.split("published claim")[0].splitlines() if line.strip()]
    assert [name for name in first if name in ("narrow", "wide", "peak", "mean")] == [
        *("narrow", "peak", "mean"),
        *("wide", "peak", "mean"),
    ]
    assert max(len(line) for line in table.splitlines() if "/" not in line) <= width  # paths are never broken


def test_the_three_records_agree(finished: Any) -> None:
    diagnosis = finished.harness("doctor")
    assert diagnosis.exit_code == 0, diagnosis.output
    assert "8 complete" in diagnosis.stdout


def test_doctor_names_a_trial_that_a_store_has_not(finished: Any, tmp_path: Path) -> None:
    from harness.study.journal.journal import TRIAL_ASKED, TRIAL_FINISHED, Journal

    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    journal = Journal(next(copy.glob("results/tiny/*/journal.jsonl")))
    spec = next(event.data["spec"] for event in journal.read() if event.kind == TRIAL_ASKED) | {"number": 9}
    trial = f"{spec['variant_id'][:12]}-search-9"
    ended = {"state": "complete", "value": 0.5, "metrics": {}, "best_epoch": 1, "epochs": 1, "seconds": 1.0}
    journal.append(TRIAL_ASKED, trial=trial, spec=spec)
    journal.append(TRIAL_FINISHED, trial=trial, **ended, reason="", files=[], ledger={})
    diagnosis = finished.harness.func(copy, "doctor")
    assert diagnosis.exit_code == 1
    assert f"{trial}: complete in the journal, missing in Optuna" in words(diagnosis.stdout)
    assert "events are not sent to MLflow" in words(diagnosis.stdout)
    sent = words(finished.harness.func(copy, "doctor", "--send").stdout)
    assert "not sent" not in sent and "missing in MLflow" not in sent and "missing in Optuna" in sent


def test_doctor_tells_trials_of_variants_that_the_study_has_no_more(finished: Any, tmp_path: Path) -> None:
    from harness.study.journal.journal import TRIAL_ASKED, Journal

    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    journal = Journal(next(copy.glob("results/tiny/*/journal.jsonl")))
    spec = next(event.data["spec"] for event in journal.read() if event.kind == TRIAL_ASKED) | {"variant_id": "0" * 64}
    journal.append(TRIAL_ASKED, trial="000000000000-search-0", spec=spec)
    told = words(finished.harness.func(copy, "doctor").stdout)
    assert "1 unfinished, of variants that the study no longer has" in told and "the next run resumes" not in told


def test_a_damaged_plan_is_written_anew_by_the_next_run(finished: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    path = next(copy.glob("results/tiny/*/plan.json"))
    path.write_text(path.read_text()[:200])
    shown = finished.harness.func(copy, "study", "show", "tiny")
    assert shown.exit_code == 3 and "is damaged" in words(shown.stderr)
    again = finished.harness.func(copy, *RUN, "--quiet")
    assert again.exit_code == 0, again.output
    assert finished.harness.func(copy, "study", "show", "tiny").exit_code == 0


def test_the_report_can_be_written_again(finished: Any) -> None:
    written = finished.harness("study", "report", "tiny")
    assert written.exit_code == 0
    paths = [Path(line.rpartition(" (")[0] or line) for line in written.stdout.splitlines()]
    assert paths[0].name == "report.html" and all(path.exists() for path in paths)
    assert len(paths) == len(set(paths)) < 6, "pages and folders, not every picture"


def test_results_are_data_frames_in_a_notebook(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.contract.loading.catalog import Catalog
    from harness.testing.fakes import tiny_catalog

    catalog = tiny_catalog()
    monkeypatch.setattr(Catalog, "discover", lambda disabled, **_: catalog)
    monkeypatch.chdir(finished.folder)
    found = package.results("tiny")
    assert list(found.variants["variant"]) == ["narrow", "wide"]
    assert len(found.trials) == 8 and "train.lr" in found.trials and set(found.trials["state"]) == {"complete"}
    assert len(found.epochs) == 16 and {"val/auroc", "train/loss"} <= set(found.epochs)
    assert set(found.predictions["head"]) == {"output", "peak", "mean"}
    assert len(found.maps) > 0


def test_what_changed_is_said_when_a_study_starts_anew(harness: Harness) -> None:
    harness(*RUN, "--quiet")
    changed = harness(*RUN, "--set", "train.epochs=1").stdout
    assert "starting again" in changed and "train.epochs: 2 -> 1" in changed


def test_a_run_that_could_not_begin_is_not_called_another_study(harness: Harness, folder: Path) -> None:
    settings = folder / "harness.local.toml"
    settings.write_text('[search]\noptuna_url = "nonsense://x/y"\n')
    assert harness(*RUN).exit_code == 2
    settings.unlink()
    done = harness(*RUN)
    assert done.exit_code == 0 and "starting again" not in done.stdout


def test_fresh_sets_the_old_results_aside(harness: Harness, folder: Path) -> None:
    harness(*RUN, "--quiet")
    assert harness(*RUN, "--quiet", "--fresh").exit_code == 0
    names = sorted(path.name for path in (folder / "results" / "tiny").iterdir())
    assert len(names) == 2 and names[1] == f"{names[0]}.1"
    assert harness("doctor").exit_code == 0, harness("doctor").output


def test_a_variant_that_fails_is_named_and_the_others_are_shown(harness: Harness) -> None:
    done = harness("study", "run", "tiny.toml", "--tuner", "inline", "--budget", "faulty")
    assert done.exit_code == 1
    assert "broken failed" in words(done.stderr) and "some variant failed" in done.stderr
    assert " narrow" in done.stdout[done.stdout.index("Test AUC") - 400 :]
    assert harness("study", "run", "tiny.toml", "--budget", "faulty", "--quiet").exit_code == 1
    assert harness("doctor").exit_code == 0


def test_a_time_limit_ends_in_good_order_and_resume_goes_on(harness: Harness, folder: Path) -> None:
    stopped = harness(*RUN, "--time-limit", "0.01s")
    assert stopped.exit_code == 130 and "time limit" in words(stopped.stderr)
    resumed = harness("study", "resume", "tiny", "--tuner", "inline")
    assert resumed.exit_code == 0 and "resuming" in resumed.stdout
    assert harness("doctor").exit_code == 0


def test_resuming_takes_the_options_of_the_first_run(harness: Harness, folder: Path) -> None:
    harness(*RUN, "--set", "train.epochs=1", "--time-limit", "0.01s")
    resumed = json.loads(harness("study", "resume", "tiny", "--tuner", "inline", "--json").stdout)
    assert resumed["finished"] and len(list((folder / "results" / "tiny").iterdir())) == 1


def test_a_server_that_is_down_costs_no_result_and_is_named_last(harness: Harness, folder: Path) -> None:
    (folder / "harness.toml").write_text('[tracking]\nuri = "http://127.0.0.1:9"\n')
    done = harness(*RUN, "--quiet")
    assert done.exit_code == 0 and "against narrow" in done.stdout
    assert words(done.stderr).endswith(
        "events are not sent yet (Connection refused); `harness doctor --send` sends them"
    )
    (report,) = folder.glob("results/tiny/*/report")
    assert {"report.html", "report.md", "tables/comparison.csv"} <= files_below(report)
    shutil.rmtree(report)  # as an earlier version left it: the same command makes up for it, server or not
    assert harness(*RUN, "--quiet").exit_code == 0
    assert {"report.html", "report.md", "tables/comparison.csv"} <= files_below(report)
    (folder / "harness.toml").unlink()
    assert harness("doctor", "--send").exit_code == 0


def test_optuna_that_cannot_be_reached_is_the_machines_fault(harness: Harness, folder: Path) -> None:
    (folder / "harness.toml").write_text(f'[search]\noptuna_url = "sqlite:///{folder}/tiny.toml/x.db"\n')
    assert harness(*RUN).exit_code == 3


def test_one_database_for_both_is_refused(harness: Harness, folder: Path) -> None:
    (folder / "harness.toml").write_text('[search]\noptuna_url = "sqlite:///results/mlflow.db"\n')
    refused = harness(*RUN)
    assert refused.exit_code == 2 and "use two databases" in words(refused.stderr)


def test_a_second_run_of_a_running_study_is_refused(harness: Harness, folder: Path) -> None:
    from harness.study.run.lock import StudyLock

    harness(*RUN, "--time-limit", "0.01s")
    with StudyLock(next(folder.glob("results/tiny/quick-*"))):
        refused = harness(*RUN)
    assert refused.exit_code == 2 and "is being run by process" in words(refused.stderr)


def test_removing_a_study_removes_its_runs_too(harness: Harness, folder: Path) -> None:
    harness(*RUN, "--quiet")
    declined = harness("study", "rm", "tiny", stdin="n\n")
    assert declined.exit_code == 0 and declined.stdout.endswith("nothing was removed\n")
    assert list((folder / "results" / "tiny").iterdir())
    assert harness("study", "rm", "tiny", "--yes").exit_code == 0
    assert not list((folder / "results" / "tiny").iterdir())
    assert (folder / "results" / "ledger.jsonl").exists()
    missing = harness("study", "show", "tiny")
    assert missing.exit_code == 2 and "was never run" in words(missing.stderr)


def test_removing_a_study_removes_its_searches_from_a_shared_database_and_no_others(
    harness: Harness, folder: Path
) -> None:
    import optuna

    url = f"sqlite:///{folder}/optuna.db"
    (folder / "harness.toml").write_text(f'[search]\noptuna_url = "{url}"\n')
    optuna.create_study(study_name="someone else's", storage=url)
    harness(*RUN, "--quiet")
    before = set(optuna.get_all_study_names(url))
    assert len(before) == 3
    assert harness("study", "rm", "tiny", "--json").exit_code == 2, "nobody is there to be asked"
    removed = json.loads(harness("study", "rm", "tiny", "--yes", "--json").stdout)
    assert set(removed["optuna_studies"]) == before - {"someone else's"}
    assert optuna.get_all_study_names(url) == ["someone else's"]
    assert not Path(removed["removed"]).exists()


@pytest.mark.parametrize("width", [60, 80])
def test_places_and_costs_are_wrapped_between_words(finished: Any, width: int) -> None:
    shown = finished.harness("study", "show", "tiny", width=width).stdout
    costs = shown[shown.index("epochs:") :].splitlines()
    assert all(len(line) <= width or len(line.split()) == 1 for line in costs)
    assert 'harness.results("tiny")' in shown and str(finished.folder) in shown


def test_show_tells_what_was_spent_and_read(finished: Any) -> None:
    shown = " ".join(finished.harness("study", "show", "tiny").stdout.split())
    assert "epochs: 8 in search, 8 in confirm" in shown
    assert (
        "reads 24 images to fit (24 with labels, 0 with masks); 12 images to select (12 with labels, 0 with masks)."
        in shown
    )
    assert "The test split of these data was opened 4 times, by all studies." in shown
    value = json.loads(finished.harness("study", "show", "tiny", "--json").stdout)
    assert value["epochs"] == {"search": 8, "confirm": 8} and value["test_openings"] == 4
    assert value["supervision"]["fit"] == {"images": 24, "labels": 24, "masks": 0}
    assert value["supervision"]["test"]["masks"] > 0 and value["fully_supervised"] == []


def test_the_files_of_a_report_are_listed_as_json(finished: Any) -> None:
    value = json.loads(finished.harness("study", "report", "tiny", "--json").stdout)
    assert all(Path(path).is_file() for path in value["files"]) and value["files"][0].endswith("report.html")


def test_nothing_is_removed_while_the_tracking_store_cannot_be_reached(finished: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    (copy / "harness.toml").write_text('[tracking]\nuri = "http://127.0.0.1:9"\n')
    refused = finished.harness.func(copy, "study", "rm", "tiny", "--yes")
    assert refused.exit_code == 3 and "Connection refused" in words(refused.stderr)
    assert list(copy.glob("results/tiny/*/journal.jsonl"))


def test_results_that_cannot_be_kept_are_reported(harness: Harness, folder: Path) -> None:
    shutil.rmtree(folder / "results")
    (folder / "results").write_text("a file")
    found = harness(*RUN)
    assert found.exit_code == 2 and "results cannot be kept there" in words(found.output)
    assert "cannot write to" in words(harness("doctor").output)
