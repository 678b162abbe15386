"""The stored checks of data sets, and their verdicts for a plan and a report. Light: reads one JSON file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.audit.verdicts import NOT_CHECKED, DataCheck
from harness.contract.files import file_name
from harness.study.journal.writing import write_file

FOLDER = "data_checks"


def check_path(results: Path, digest: str) -> Path:
    """Return the file of the check of the data set with this digest."""
    return results / FOLDER / f"{file_name(digest)}.json"


def sheet_path(results: Path, digest: str) -> Path:
    """Return the file of the contact sheet of that check, which exists if pairs were found alike."""
    return check_path(results, digest).with_suffix(".png")


def read_check(results: Path, digest: str) -> DataCheck | None:
    """Return the stored check of a data set, or None if there is none or an earlier version wrote it.

    Args:
        results: the results folder, `Settings.results`.
        digest: the data set's, `Plan.dataset_digest` or a variant's `facts["digest"]`.
    """
    try:
        found = DataCheck.from_json(check_path(results, digest).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return found if found is not None and found.digest == digest else None


def write_check(results: Path, check: DataCheck) -> Path:
    """Store a check and return its file.

    Raises:
        MachineError: it cannot be written.
    """
    path = check_path(results, check.digest)
    write_file(path, check.to_json().encode())
    return path


def verdicts(results: Path, digests: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """Return `verdict` ("not checked" without a check) and `summary` of each data set of a plan, by digest."""
    found: dict[str, Mapping[str, str]] = {}
    for digest in filter(None, dict.fromkeys(digests)):
        check = read_check(results, digest)
        verdict = NOT_CHECKED if check is None else check.verdict
        found[digest] = {"verdict": verdict, "summary": "" if check is None else check.summary}
    return found
