"""Atomic writing of files, with a MachineError if the disk fails, and the ledger of test openings."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.contract.errors import MachineError
from harness.contract.types import Plan, TrialResult, TrialSpec


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`; a reader sees the old file or the new one, never a part of it.

    Raises:
        MachineError: the disk is full or the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise MachineError(f"{path}: cannot be written: {error.strerror}") from error


def remove_file(path: Path) -> None:
    """Remove the file if it exists.

    Raises:
        MachineError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{path}: cannot be removed: {error.strerror}") from error


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files that a trial sent, by their relative names.

    Raises:
        MachineError: the disk is full or a file cannot be written.
        ValueError: a name leaves the folder.
    """
    for name, data in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"a trial's file must stay in its folder, but got {name!r}.")
        write_file(folder / name, data)


class Ledger:
    """A ledger of the openings of each data set's test split, over all studies of a results folder.

    Each line is one opening, written before it: `digest`, `study_id`, `trial`, `time`. An incomplete line belongs to a
    split that was never opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, spec: TrialSpec) -> None:
        """Add the line of one opening, and wait until it is on the disk.

        Raises:
            MachineError: the disk is full or the file cannot be written.
        """
        entry = {"digest": spec.digest, "study_id": spec.study_id, "trial": spec.id, "time": time.time()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:  # one short write, so that lines of two studies do not mix
                torn = file.tell() and self._path.read_bytes()[-1:] != b"\n"
                file.write((b"\n" if torn else b"") + json.dumps(entry).encode() + b"\n")
                os.fsync(file.fileno())
        except OSError as error:
            raise MachineError(f"{self._path}: cannot be written: {error.strerror}") from error

    def openings(self, digests: Collection[str], study_id: str = "") -> int | None:
        """Return how often the test split of data with these digests was opened; None without a ledger.

        Args:
            digests: of the data.
            study_id: count the openings of this study alone; "" for all.
        """
        if not self._path.exists():
            return None
        lines = [_entry(line) for line in self._path.read_text().splitlines()]
        own = [entry for entry in lines if study_id in ("", entry.get("study_id"))]
        return sum(entry.get("digest") in digests for entry in own)


def digests_of(plan: Plan) -> set[str]:
    """Return the digests of all data on which a plan's confirmations are tested: each fold has its own."""
    of_variants = {str(variant.facts.get("digest", "")) for variant in plan.variants}
    of_folds = {str(digest) for variant in plan.variants for digest in variant.facts.get("fold_digests", ())}
    return ({plan.dataset_digest} | of_variants | of_folds) - {""}


def opened_test(spec: TrialSpec, result: TrialResult) -> bool:
    """Return True if the trial read the test split, by its ledger or else by its stage."""
    if "opened" in result.ledger:
        return "test" in result.ledger["opened"]
    return spec.stage != "search" and result.state == "complete"


def _entry(line: str) -> Mapping[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:  # incomplete after a kill or a full disk
        return {}
