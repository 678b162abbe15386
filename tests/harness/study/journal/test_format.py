"""What a release wrote stays readable; what 0.1 or a newer harness wrote is refused in one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness import InputError
from harness.study.journal.folders import read_plan, read_state
from harness.study.journal.format import FORMAT
from harness.study.journal.journal import STUDY_STARTED, Journal
from harness.study.journal.plan_io import plan_from_json, plan_to_json
from harness.testing.scripted import scripted_plan

RELEASED = sorted((Path(__file__).parent / "released").iterdir())


@pytest.mark.parametrize("folder", RELEASED, ids=lambda folder: folder.name)
def test_results_of_every_release_are_read(folder: Path) -> None:
    plan, state = read_plan(folder), read_state(folder)
    assert state.finished and {record.spec.variant for record in state.trials.values()} == {
        v.name for v in plan.variants
    }
    assert all(record.state == "complete" for record in state.trials.values())


def test_there_are_results_of_this_format() -> None:
    assert FORMAT in {json.loads((folder / "plan.json").read_text())["format"] for folder in RELEASED}


@pytest.mark.parametrize(
    ("number", "message"),
    [(None, "harness 0.1 wrote these results"), (FORMAT + 1, "which a newer harness wrote"), ("2", "a newer harness")],
)
def test_another_format_is_refused_with_the_file(number: object, message: str, tmp_path: Path) -> None:
    values = json.loads(plan_to_json(scripted_plan({"a": {}})))
    del values["format"]
    (tmp_path / "plan.json").write_text(json.dumps(values | ({} if number is None else {"format": number})))
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path / 'plan.json'))}: .*{message}"):
        read_plan(tmp_path)
    event = {"kind": STUDY_STARTED, "time": 0.0, "plan": {}} | ({} if number is None else {"format": number})
    (tmp_path / "journal.jsonl").write_text(json.dumps(event) + "\n")
    with pytest.raises(InputError, match=f"{re.escape(str(tmp_path / 'journal.jsonl'))}: .*{message}"):
        read_state(tmp_path)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    plan = scripted_plan({"a": {}})
    assert plan_from_json(plan_to_json(plan)) == plan
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(STUDY_STARTED, plan=json.loads(plan_to_json(plan)), attempt=1)
    assert journal.read()[0].data["format"] == FORMAT
