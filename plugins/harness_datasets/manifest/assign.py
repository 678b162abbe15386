"""The split of each row: as the table states, or dealt out by group with balanced labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness import InputError, nearest
from harness_datasets.manifest.entries import Columns, Entry, Mistakes

SPLITS = ("train", "val", "tune_loc", "test")


@dataclass(frozen=True)
class Deal:
    """Rule by which groups are dealt out to splits.

    Args:
        fractions: of train, val and test, used where no row states a split; they add up to 1.
        folds: where 3 or more, a grouped and stratified partition replaces whatever the table
            states: `fold` is the test split, the next one val, all others train.
        fold: counts from 0.
        seed: of the deal.
    """

    fractions: tuple[float, float, float]
    folds: int
    fold: int
    seed: int


def assign(entries: Sequence[Entry], column: str, deal: Deal, mistakes: Mistakes) -> list[Entry]:
    """Return the entries with their split filled in.

    Args:
        entries: all rows.
        column: where the table states the split, for messages.
        deal: what fills in what the table does not state.
        mistakes: receives splits that do not exist.

    Raises:
        InputError: fractions or folds cannot work.
    """
    if folds := deal.folds:
        fold = deal.fold
        if folds < 3 or not 0 <= fold < folds:
            raise InputError(f"dataset manifest: folds: 3 or more and 0 <= fold < folds, but got {folds=}, {fold=}")
        parts = _partition(entries, folds, deal.seed)
        names = {fold: "test", (fold + 1) % folds: "val"}
        return [replace(entry, split=names.get(part, "train")) for entry, part in zip(entries, parts, strict=True)]
    if any(entry.split for entry in entries):
        for entry in entries:
            if entry.split not in SPLITS:
                message = f"one of {', '.join(SPLITS)} expected, but got {entry.split!r}{nearest(entry.split, SPLITS)}"
                mistakes.add(message, entry.row, column)
        return list(entries)
    return _by_fractions(entries, deal.fractions, deal.seed)


def check_splits(entries: Sequence[Entry], classes: Sequence[str], columns: Columns, mistakes: Mistakes) -> None:
    """Add a mistake for each group in two splits, and for each class that a split has one value of only."""
    homes: dict[str, tuple[str, int]] = {}
    for entry in entries:
        if not entry.group or entry.split not in SPLITS:
            continue  # reported already
        home = "val" if entry.split == "tune_loc" else entry.split
        split, row = homes.setdefault(entry.group, (home, entry.row))
        if split != home:
            message = f"{entry.group!r} is in {entry.split}, and in {split} by row {row}"
            mistakes.add(message, entry.row, columns.group)
    if mistakes.found:
        return  # what a split contains is unknown while rows are wrong
    for split in ("train", "val", "test"):
        members = [entry for entry in entries if entry.split == split]
        if not members:
            mistakes.add(f"split {split!r} has no rows")
            continue
        for number, name in enumerate(classes):
            seen = {entry.labels[number] for entry in members}
            for value, word in ((1.0, "1"), (0.0, "0")):
                if value not in seen:
                    mistakes.add(f"split {split!r} has no row where label_{name} is {word}")


def check_multiclass(entries: Sequence[Entry], mistakes: Mistakes) -> None:
    """Add a mistake for each row without exactly one positive label."""
    for entry in entries:
        if sum(label == 1 for label in entry.labels) != 1 or any(map(math.isnan, entry.labels)):
            mistakes.add('kind = "multiclass" expects exactly one label of 1, and no unknown one', entry.row)


def _by_fractions(entries: Sequence[Entry], fractions: tuple[float, float, float], seed: int) -> list[Entry]:
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise InputError(f"dataset manifest: fractions: three above 0 that add up to 1, but got {list(fractions)}")
    _, val, test = fractions
    first = _partition(entries, max(2, round(1 / test)), seed)
    rest = [entry for entry, part in zip(entries, first, strict=True) if part]
    second = dict(
        zip((entry.id for entry in rest), _partition(rest, max(2, round((1 - test) / val)), seed), strict=True)
    )
    names = {None: "test", 0: "val"}
    return [replace(entry, split=names.get(second.get(entry.id), "train")) for entry in entries]


def _partition(entries: Sequence[Entry], parts: int, seed: int) -> list[int]:
    """Return a part for each entry: groups stay together, and label combinations spread evenly."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups = [entry.group for entry in entries]
    if len(set(groups)) < parts:
        raise InputError(f"dataset manifest: {len(set(groups))} groups cannot be dealt out to {parts} parts")
    keys = [str(entry.labels) for entry in entries]
    counts = Counter(keys)
    common = counts.most_common(1)[0][0]
    # A combination rarer than the parts cannot be spread, so it is dealt like the commonest.
    strata = [key if counts[key] >= parts else common for key in keys]
    found = [0] * len(entries)
    split = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(keys, strata, groups)
    for part, (_, members) in enumerate(split):
        for member in members:
            found[member] = part
    return found
