from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from harness.contract.errors import MachineError
from harness.study.journal.journal import EPOCH, Journal
from harness.study.run.doctor import check_study


def test_a_torn_last_line_is_no_event_and_is_cut_off_before_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(EPOCH, trial="a")
    with journal.path.open("ab") as file:
        file.write(b'{"kind": "epo')
    assert [event.data["trial"] for event in journal.read()] == ["a"]
    journal.mend()
    journal.append(EPOCH, trial="b")
    assert [event.data["trial"] for event in journal.read()] == ["a", "b"]


def test_reading_goes_on_from_an_offset(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for name in "abc":
        journal.append(EPOCH, trial=name)
    first = journal.read()[0]
    assert [event.data["trial"] for event in journal.read(first.offset)] == ["b", "c"]


def test_a_full_disk_leaves_no_half_line_behind(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(EPOCH, trial="a")
    child = os.fork()
    if child == 0:  # a limit on the size of files cannot be raised again, so a process of its own meets it
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size + 10,) * 2)
        try:
            journal.append(EPOCH, trial="b" * 100)
        except MachineError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "a MachineError was due"
    journal.append(EPOCH, trial="c")
    assert [event.data["trial"] for event in journal.read()] == ["a", "c"]


def test_a_journal_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot write the journal"):
        Journal(tmp_path / "file" / "journal.jsonl").append(EPOCH, trial="a")


@pytest.mark.parametrize("line", ['{"kind": "epoch", "ti', "[]", '{"time": 1.0}', "\\x00"])
def test_a_sick_line_is_named_with_its_file_and_number(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("a")
    second = journal.read()[-1].offset
    journal.append("b")
    with journal.path.open("a") as file:
        file.write(line + "\n")
    journal.append("c")
    for offset in (0, second):
        with pytest.raises(MachineError, match=r"journal\.jsonl, line 3: is no event of a journal"):
            journal.read(offset)


def test_the_doctor_makes_a_sick_journal_a_finding(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("no JSON\n")
    (finding,) = check_study(tmp_path, lambda _: {}, lambda _: {}, lambda _: 0)
    assert finding.level == "wrong"
    assert "journal.jsonl, line 1: is no event of a journal" in finding.message


def test_the_doctor_tells_an_error_of_a_database_in_one_line(tmp_path: Path) -> None:
    def sick(_: Path) -> dict[str, str]:
        raise RuntimeError("(sqlite3.OperationalError) no such table: runs\n[SQL: SELECT * FROM runs]\n(Background)")

    Journal(tmp_path / "journal.jsonl").append("a")
    _, finding = check_study(tmp_path, lambda _: {}, sick, lambda _: 0)
    assert finding.message == "MLflow cannot be read: RuntimeError: (sqlite3.OperationalError) no such table: runs"
