"""Selection of confirmed models: from the user's name for them to the files of their weights. Reads no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.contract.errors import InputError, nearest
from harness.contract.types import WEIGHTS, Objective, Plan, VariantPlan
from harness.study.file.spec import NAME
from harness.study.journal.folders import read_plan, read_state, runs_of
from harness.study.journal.state import StudyState
from harness.study.journal.trial_record import TrialRecord


@dataclass(frozen=True)
class Chosen:
    """The confirmed models of one variant.

    Args:
        weights: their files, by seed and fold.
        name: `<study>-<variant>`, for names of files.
        says: which models these are and why, for the user.
    """

    weights: tuple[Path, ...]
    name: str
    says: str


def choose_models(root: Path, run: str, budget: str | None = None, seed: int | None = None) -> Chosen:
    """Return the confirmed models that `run` names.

    Without a variant, the best one on the validation split is taken, never on the test split. Without a seed, all seeds
    and folds are taken.

    Args:
        root: the results folder.
        run: `study[/variant[/seed]]`, or a path: of a study's results, optionally followed by `/variant[/seed]`, of
            one trial's folder, or of its weights.
        budget: of the study; None for the one that ran last.
        seed: of the confirmation; None for all.

    Raises:
        InputError: there is no such study, variant or seed, or no confirmed model.
    """
    path = Path(run)
    alone = path if path.name == WEIGHTS else path / WEIGHTS
    if alone.is_file():
        if seed is not None:
            raise InputError(f"{run}: is one model already; --seed {seed} chooses among those of a study")
        folder = alone.parent
        return Chosen((alone,), folder.name, f"the model in {folder}")
    folder, rest = _folder(root, run, budget)
    plan, state = read_plan(folder), read_state(folder)
    if len(rest) > 2 or (len(rest) == 2 and not rest[1].isdigit()):
        raise InputError(f"{run!r}: study, variant and seed expected, as in {plan.study}/{plan.baseline}/0")
    if len(rest) == 2:
        if seed not in (None, int(rest[1])):
            raise InputError(f"{run!r} names seed {rest[1]}, --seed another one: {seed}")
        seed = int(rest[1])
    confirmed = {item.name: _confirmed(state, item, folder) for item in plan.variants}
    name, why = _variant(plan, confirmed, rest[0] if rest else None, run)
    records = [record for record in confirmed[name] if seed is None or record.spec.seed == seed]
    if not records:
        seeds = ", ".join(str(number) for number in sorted({record.spec.seed for record in confirmed[name]}))
        raise InputError(f"{run}: {name!r} has no confirmation of seed {seed}; there are {seeds}")
    weights = tuple(folder / "trials" / record.spec.id / WEIGHTS for record in records)
    says = f"{plan.study}/{name}{why}, {_mean_over(records)}, budget {plan.budget}"
    return Chosen(weights, f"{plan.study}-{name}", says)


def _folder(root: Path, run: str, budget: str | None) -> tuple[Path, list[str]]:
    """Return the folder of a run, and the parts of `run` after it."""
    parts = list(Path(run).parts)
    for cut in range(len(parts), 0, -1):
        head = Path(*parts[:cut])
        if (head / "plan.json").is_file():
            return head, parts[cut:]
        if found := [] if cut == 1 else runs_of(head.parent, head.name, budget):
            return found[0], parts[cut:]
    name = Path(parts[0]).stem if parts and parts[0].endswith(".toml") else (parts or [""])[0]
    # A name is looked up below the results folder and must not climb out of it.
    found = runs_of(root, name, budget) if NAME.fullmatch(name) else []
    if not found:
        known = [path.name for path in root.iterdir() if runs_of(root, path.name)] if root.is_dir() else []
        which = f" at budget {budget!r}" if budget else ""
        raise InputError(f"{run}: no study of that name was run{which} (results in {root}){nearest(name, known)}")
    return found[0], parts[1:]


def _confirmed(state: StudyState, variant: VariantPlan, folder: Path) -> list[TrialRecord]:
    """Return the complete confirmations whose weights exist, by seed and fold."""
    found = [
        record
        for record in state.of_variant(variant.id, "confirm")
        if record.state == "complete" and (folder / "trials" / record.spec.id / WEIGHTS).is_file()
    ]
    return sorted(found, key=lambda record: (record.spec.seed, record.spec.fold or 0))


def _variant(plan: Plan, confirmed: dict[str, list[TrialRecord]], wanted: str | None, run: str) -> tuple[str, str]:
    """Return the variant's name, and why it was chosen if the user named none."""
    if wanted is not None:
        if wanted not in confirmed:
            known = ", ".join(confirmed)
            raise InputError(f"{run}: no variant named {wanted!r}{nearest(wanted, confirmed)} (there are: {known})")
        if not confirmed[wanted]:
            hint = f"`harness study run {plan.named}` confirms it"
            raise InputError(f"{run}: {wanted!r} has no confirmed model; {hint}")
        return wanted, ""
    ready = [name for name, records in confirmed.items() if records]
    if not ready:
        hint = f"`harness study run {plan.named}` confirms them"
        raise InputError(f"{run}: no variant has a confirmed model; {hint}")
    if len(ready) == 1:
        return ready[0], ""
    values = {name: [record.result.value for record in confirmed[name] if record.result] for name in ready}
    means = {name: sum(own) / len(own) for name, own in values.items()}
    return _best(means, plan.objective), f" (best {plan.objective.metric} of {len(ready)} variants)"


def _best(means: dict[str, float], objective: Objective) -> str:
    best = next(iter(means))
    for name, value in means.items():
        if objective.better(value, means[best]):
            best = name
    return best


def _mean_over(records: Sequence[TrialRecord]) -> str:
    """Return a text such as `mean over seeds 0, 1` or `seed 0, mean over 5 folds`."""
    seeds = sorted({record.spec.seed for record in records})
    folds = {record.spec.fold for record in records}
    of_seeds = f"seed {seeds[0]}" if len(seeds) == 1 else f"mean over seeds {', '.join(map(str, seeds))}"
    return of_seeds if len(folds) == 1 else f"{of_seeds}, mean over {len(folds)} folds"
