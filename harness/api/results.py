"""`harness.results`: what a study left, as data frames."""

from __future__ import annotations

import os
from pathlib import Path

from harness.api.session import Session
from harness.contract.errors import InputError
from harness.study.journal.folders import find_run, latest_run
from harness.study.results.results import Results, read_results


def results(study: str | Path, *, budget: str | None = None, session: Session | None = None) -> Results:
    """Return the results of a study's latest run, finished or not.

    Args:
        study: a name, the path of the study file, or a folder of results, from any working directory.
        budget: one of the study's; None for the run that was active last.
        session: settings and components; those of the working directory if not given.

    Raises:
        InputError: the study was never run, the folder holds no results, or its data set is not installed.

    Example:
        >>> harness.results("gmic_ablation").variants  # doctest: +SKIP
    """
    session = session or Session.of()
    folder = _folder(study, budget) or find_run(session.settings.results, str(study), budget)
    return read_results(folder, session.catalog)


def _folder(study: str | Path, budget: str | None) -> Path | None:
    """Return the folder of results that is meant; None for a study's name or file."""
    path, text = Path(study), str(study)
    if text.endswith(".toml"):
        return None
    found = latest_run(path, budget) if path.is_dir() else None
    if found is None and (isinstance(study, Path) or os.sep in text):
        missing = "there is no such folder" if not path.is_dir() else "holds no results of a study"
        of = f" at budget {budget!r}" if budget and path.is_dir() else ""
        raise InputError(f"{path}: {missing}{of}")
    return found
