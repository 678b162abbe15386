"""A comparison of a study's journal with Optuna and MLflow, and checks of the machine.

Optuna and MLflow are read through functions that are passed in. If they differ, the journal is right.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.contract.errors import HarnessError, nearest
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.plugin_settings import owns
from harness.study.journal.folders import read_plan, read_state, searches_of
from harness.study.journal.state import StudyState
from harness.study.run.lock import Holder

if TYPE_CHECKING:
    from harness.config.settings import Settings

States = Mapping[str, str]
"""Trial id -> state: complete, pruned, failed or running."""
ReadStates = Callable[[Path], States]
"""A function that reads a store's states for the study in a folder, if need be of search trials alone."""

LIBRARIES = ("mil-harness", "torch", "torchvision", "timm", "ray", "optuna", "mlflow", "numpy", "pandas")
LITTLE_SPACE = 2 * 1024**3
LONGEST = 160
"""Characters of a foreign error that a finding shows."""


@dataclass(frozen=True)
class Finding:
    """A line of the diagnosis."""

    level: Literal["ok", "note", "wrong"]
    about: str
    message: str


def check_machine(settings: Settings, catalog: Catalog) -> list[Finding]:
    """Check versions, cores, device, disk space, plugins and settings."""
    import torch

    found = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    findings = [
        Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("ok", "libraries", found),
        Finding("ok", "compute", f"{os.cpu_count()} cores, {cuda}; {_compute(settings)}"),
    ]
    findings += [_space(name, getattr(settings, name)) for name in ("results", "cache")]
    there = settings.data.is_dir()
    findings.append(Finding("ok" if there else "note", "data", f"{settings.data}{'' if there else ' (missing)'}"))
    plugins = ", ".join(str(provider) for provider in catalog.providers.values())
    findings.append(Finding("ok", "plugins", plugins or "none"))
    findings += [Finding("wrong", "plugin", f"{item.provider}: {item.reason}") for item in catalog.broken]
    findings += [Finding("note", "plugin", f"{remark.provider}: {remark.message}") for remark in catalog.remarks]
    for provider, seconds in catalog.slow.items():
        findings.append(Finding("note", "plugin", f"{provider} took {seconds:.1f} s to load"))
    known = {name for item in catalog.providers.values() for name in (item.plugin, item.distribution)}
    for name in sorted({*settings.disabled} - catalog.left_out):
        hint = nearest(name, known)
        findings.append(Finding("note", "plugin", f"[plugins] disabled names {name!r}, which is not installed{hint}"))
    for name in sorted(settings.plugins):
        if not any(owns(provider, name) for provider in catalog.providers.values()):
            hint = nearest(name.partition(":")[0], known)
            findings.append(
                Finding("note", "plugin", f"[plugins.{name}] has settings of no plugin that is loaded{hint}")
            )
    return findings


def check_study(folder: Path, optuna: ReadStates, mlflow: ReadStates, unsent: Callable[[Path], int]) -> list[Finding]:
    """Compare the states of every trial of the study in `folder` in the three stores."""
    name = f"{folder.parent.name}/{folder.name}"
    try:
        state = read_state(folder)
    except HarnessError as error:
        return [Finding("wrong", name, f"cannot be compared: {in_brief(error)}")]
    journal = {trial: record.state for trial, record in state.trials.items()}
    searched = {trial: record.state for trial, record in state.trials.items() if record.spec.stage == "search"}
    running = is_running(folder)
    findings = [Finding("ok", name, _counts(journal, running, _left_out(folder, state)))]
    for store, read, expected in (("Optuna", optuna, searched), ("MLflow", mlflow, journal)):
        try:
            differences = compare(expected, read(folder), store)
        except Exception as error:  # any error of a store that cannot be read is a finding
            findings.append(Finding("wrong", name, f"{store} cannot be read: {in_brief(error)}"))
            continue
        late = unsent(folder) if store == "MLflow" else 0
        if late:
            findings.append(Finding("note", name, f"{late} events are not sent to MLflow; `harness doctor --send`"))
        elif running and differences:
            findings.append(Finding("note", name, f"{store} is {len(differences)} trials behind a running study"))
        else:
            findings += [Finding("wrong", name, line) for line in differences]
    return findings


def compare(journal: States, store: States, name: str) -> list[str]:
    """Return one line for each trial whose state in a store differs from the journal."""
    lines = []
    for trial in sorted({*journal, *store}):
        mine, theirs = journal.get(trial), store.get(trial)
        if mine is None:
            lines.append(f"{trial}: {theirs} in {name}, missing in the journal")
        elif theirs is None:
            lines.append(f"{trial}: {mine} in the journal, missing in {name}")
        elif mine != theirs:
            lines.append(f"{trial}: {mine} in the journal, {theirs} in {name}")
    return lines


def trial_states(folder: Path, of_variant: Callable[[str], Mapping[int, str]]) -> States:
    """Return a store's states by trial id, from the states by search number of every variant in the folder."""
    variants = searches_of(folder) | {variant.id for variant in read_plan(folder).variants}
    return {
        f"{variant[:12]}-search-{number}": state
        for variant in sorted(variants)
        for number, state in of_variant(variant).items()
    }


def is_running(folder: Path) -> bool:
    """Return True if a live process of this machine holds the study's lock."""
    holder = Holder.read(folder / "lock.json")
    return holder is not None and holder.host == platform.node() and holder.process.find() is not None


def in_brief(error: BaseException) -> str:
    """Return an error in one line: SQLAlchemy adds its statement and a link in further lines."""
    text = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
    line = text.splitlines()[0]
    return line if len(line) <= LONGEST or isinstance(error, HarnessError) else line[: LONGEST - 1] + "…"


def _left_out(folder: Path, state: StudyState) -> int:
    """Return the number of unfinished trials whose variants were changed or removed since."""
    try:
        planned = {variant.id for variant in read_plan(folder).variants}
    except (HarnessError, OSError):
        return 0
    return sum(record.result is None and record.spec.variant_id not in planned for record in state.trials.values())


def _counts(journal: States, running: bool, left_out: int) -> str:
    if not journal:
        return "no trial yet"
    states = list(journal.values())
    parts = [f"{states.count(state)} {state}" for state in ("complete", "pruned", "failed") if state in states]
    if left_out:
        parts.append(f"{left_out} unfinished, of variants that the study no longer has")
    if unfinished := states.count("running") - left_out:
        parts.append(f"{unfinished} {'running' if running else 'unfinished; the next run resumes them'}")
    return ", ".join(parts)


def _compute(settings: Settings) -> str:
    return f"trials at a time: {settings.concurrent}, threads of each: {settings.threads}, device: {settings.device}"


def _space(name: str, folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Finding("wrong", name, f"{folder}: cannot write to {existing}")
    free = shutil.disk_usage(existing).free
    level: Literal["ok", "wrong"] = "wrong" if free < LITTLE_SPACE else "ok"
    return Finding(level, name, f"{folder}, {free / 1024**3:.1f} GB free")


def _version(name: str) -> Any:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
