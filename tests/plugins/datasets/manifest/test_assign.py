"""Splits dealt out: groups whole, labels balanced, every row in one place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.contract.errors import InputError
from harness_datasets.manifest.assign import Deal, assign
from harness_datasets.manifest.entries import Entry, Mistakes

FRACTIONS = (0.6, 0.2, 0.2)


def entries(patients=100, prevalence=0.3, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for patient in range(patients):
        label = float(rng.uniform() < prevalence)
        for view in range(int(rng.integers(1, 5))):
            name = f"{patient}-{view}"
            found.append(Entry(len(found) + 2, name, f"p{patient}", name, (label,), Path(name), (None,), ""))
    return found


def dealt(rows, folds=0, fold=0, seed=0, fractions=FRACTIONS):
    return assign(rows, "split", Deal(fractions, folds, fold, seed), Mistakes(Path("t.csv")))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_deal_keeps_groups_whole_and_labels_balanced(seed):
    rows = dealt(entries(), seed=seed)
    homes = {}
    for row in rows:
        assert homes.setdefault(row.group, row.split) == row.split
    for name, share in zip(("train", "val", "test"), FRACTIONS, strict=True):
        part = [row for row in rows if row.split == name]
        assert abs(len(part) / len(rows) - share) < 0.05
        assert abs(np.mean([row.labels[0] for row in part]) - np.mean([row.labels[0] for row in rows])) < 0.1


def test_the_same_seed_deals_the_same():
    assert dealt(entries(), seed=3) == dealt(entries(), seed=3)
    assert dealt(entries(), seed=3) != dealt(entries(), seed=4)


def test_each_row_is_tested_in_exactly_one_fold():
    tested = [row.id for fold in range(5) for row in dealt(entries(), folds=5, fold=fold) if row.split == "test"]
    assert sorted(tested) == sorted(row.id for row in entries())
    for fold in range(5):
        names = {row.split for row in dealt(entries(), folds=5, fold=fold)}
        assert names == {"train", "val", "test"}


def test_a_combination_rarer_than_the_parts_is_dealt_like_the_commonest():
    rows = [*entries(), Entry(999, "odd", "odd", "odd", (float("nan"),), Path("odd"), (None,), "")]
    assert len(dealt(rows)) == len(rows)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fractions": (0.5, 0.2, 0.2)}, "add up to 1"),
        ({"fractions": (1.0, 0.0, 0.0)}, "above 0"),
        ({"folds": 2}, "3 or more"),
        ({"folds": 5, "fold": 5}, "fold < folds"),
        ({"folds": 101}, "100 groups cannot be dealt out to 101 parts"),
    ],
)
def test_what_cannot_work_is_refused(given, told):
    with pytest.raises(InputError, match=told):
        dealt(entries(), **given)
