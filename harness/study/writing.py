"""Writes files whole or not at all, and turns a failing disk into a MachineError. Not the journal."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.contract.errors import MachineError
from harness.contract.types import TrialResult, TrialSpec


def write_file(path: Path, data: bytes) -> None:
    """Puts `data` at `path`; a reader sees the old file or the new one, never half of it.

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
    """Removes the file if it is there.

    Raises:
        MachineError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{path}: cannot be removed: {error.strerror}") from error


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files that a trial sent, by their relative names.

    Raises:
        MachineError: the disk is full or a file cannot be written.
        ValueError: a name climbs out of the folder.
    """
    for name, data in files.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"a trial's file must stay in its folder, but got {name!r}.")
        write_file(folder / name, data)


class Ledger:
    """Counts how often a data set's test split was opened, over all studies of a results folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, spec: TrialSpec, result: TrialResult) -> None:
        """Adds a line for a trial that opened the test split.

        Raises:
            MachineError: the disk is full or the file cannot be written.
        """
        if not opened_test(spec, result):
            return
        entry = {"digest": spec.digest, "study_id": spec.study_id, "trial": spec.id, "time": time.time()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:  # one short write: lines of two studies do not mix
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise MachineError(f"{self._path}: cannot be written: {error.strerror}") from error


def opened_test(spec: TrialSpec, result: TrialResult) -> bool:
    """Whether the trial read the test split: what its own ledger says, or else what its stage does."""
    if "opened" in result.ledger:
        return "test" in result.ledger["opened"]
    return spec.stage != "search" and result.state == "complete"
