"""The folders of a study's runs: their places, plans and states."""

from __future__ import annotations

from pathlib import Path

from harness.contract.errors import InputError, MachineError
from harness.contract.types import Plan
from harness.study.file.spec import NAME
from harness.study.journal.journal import Journal
from harness.study.journal.plan_io import plan_from_json
from harness.study.journal.state import StudyState


def find_run(root: Path, study: str, budget: str | None = None) -> Path:
    """Return the folder of the latest run.

    Args:
        root: the results folder.
        study: a name, or the path of a study file.
        budget: None for any.

    Raises:
        InputError: there is no run, or the name contains a path: results are read and removed by it.
    """
    name = Path(study).stem if study.endswith(".toml") else study
    if not NAME.fullmatch(name):
        raise InputError(
            f"{study!r} is not a study name: use letters, digits, - and _ only, or a path that ends in .toml"
        )
    found = runs_of(root, name, budget)
    if not found:
        which = f" at budget {budget!r}" if budget else ""
        raise InputError(f"{root / name}: {name!r} was never run{which}; `harness study run {study}` runs it")
    return found[0]


def latest_run(folder: Path, budget: str | None = None) -> Path | None:
    """Return `folder` if it is a run, the latest run in it if it is a study's; None if it is neither."""
    if (folder / "plan.json").exists():
        return folder if budget in (None, _budget_of(folder)) else None
    return next(iter(runs_of(folder.parent, folder.name, budget)), None)


def runs_of(root: Path, name: str, budget: str | None = None) -> list[Path]:
    """Return the folders of a study's runs, the latest first, without those that `--fresh` renamed."""
    folders = [path.parent for path in (root / name).glob("*/plan.json") if "." not in path.parent.name]
    if budget is not None:
        folders = [folder for folder in folders if _budget_of(folder) == budget]
    return sorted(folders, key=_last_used, reverse=True)


def searches_of(folder: Path) -> set[str]:
    """Return the ids of all variants that were searched in a run's folder: their names in Optuna."""
    return {record.spec.variant_id for record in read_state(folder).trials.values()}


def read_state(folder: Path) -> StudyState:
    """Return the state of the journal in a run's folder.

    Raises:
        MachineError: a line of the journal is damaged.
    """
    return StudyState.of(Journal(folder / "journal.jsonl").read())


def read_plan(folder: Path) -> Plan:
    """Return the plan of the latest run in a folder.

    Raises:
        MachineError: the file is damaged.
    """
    path = folder / "plan.json"
    try:
        return plan_from_json(path.read_text(), path)
    except (ValueError, KeyError, TypeError) as error:
        raise MachineError(f"{path}: is damaged; `harness study run` of the study writes it again") from error


def _budget_of(folder: Path) -> str:
    return folder.name.rpartition("-")[0]


def _last_used(folder: Path) -> float:
    journal = folder / "journal.jsonl"
    return (journal if journal.exists() else folder / "plan.json").stat().st_mtime
