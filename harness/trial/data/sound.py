"""Check of the samples of a data set before anything is decoded: ids, groups, labels. Free of torch."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contract.dataset import Dataset
from harness.contract.errors import ContractError, blamed, origin_of
from harness.contract.types import Sample, Split, Task
from harness.trial.data.cache import SPLITS

_SHOWN = 3
_APART: tuple[tuple[Split, Split], ...] = (
    ("train", "val"),
    ("train", "tune_loc"),
    ("train", "test"),
    ("val", "test"),
    ("tune_loc", "test"),
)
"""Pairs of splits without a common group; tune_loc may have those of val."""


def check_samples(dataset: Dataset, known: Mapping[Split, Sequence[Sample]] | None = None) -> None:
    """Check that ids are unique, a group is in one split, and labels are those of the task.

    Args:
        dataset: is asked for its splits, which may take seconds, unless they are known.
        known: the samples of every split, from a cache.

    Raises:
        ContractError: they are not; the message lists every kind of mistake.
    """
    with blamed(dataset):
        splits = known or {name: list(dataset.split(name)) for name in SPLITS}
    found = [*_ids(splits), *_groups(splits), *_labels(splits, dataset.task)]
    if found:
        got, expected, law = (list(part) for part in zip(*found, strict=True))
        raise ContractError(origin_of(dataset), "; ".join(got), _joined(expected, "; "), _joined(law, ", "))


def _joined(texts: Sequence[str], by: str) -> str:
    return by.join(dict.fromkeys(texts))


Mistake = tuple[str, str, str]
"""What was found, what is expected, and the law that finds it."""


def _ids(splits: Mapping[Split, Sequence[Sample]]) -> Iterator[Mistake]:
    counts = Counter(sample.id for sample in itertools.chain.from_iterable(splits.values()))
    if twice := [key for key, count in counts.items() if count > 1]:
        yield f"the id {_some(twice)} more than once", "unique ids", "ids_are_unique_and_a_unit_has_one_group"


def _groups(splits: Mapping[Split, Sequence[Sample]]) -> Iterator[Mistake]:
    groups = {name: {sample.group for sample in samples} for name, samples in splits.items()}
    for one, other in _APART:
        if shared := sorted(groups[one] & groups[other]):
            found = f"the group {_some(shared)} in {one} and {other}"
            yield found, "each group in one split", "no_group_is_in_two_splits"


def _labels(splits: Mapping[Split, Sequence[Sample]], task: Task) -> Iterator[Mistake]:
    samples = [sample for own in splits.values() for sample in own]
    if wrong := [sample for sample in samples if not _are_labels(sample.labels, task)]:
        once = ", one of them 1" if task.kind == "multiclass" else ""
        expected = f"{len(task.classes)} labels of 0, 1 or NaN{once}"
        found = f"the labels {list(wrong[0].labels)} of {wrong[0].id!r}" + (
            f" and {len(wrong) - 1} more" * (len(wrong) > 1)
        )
        yield found, expected, "every_class_is_present_and_absent_in_every_split"


def _are_labels(labels: Sequence[Any], task: Task) -> bool:
    if len(labels) != len(task.classes) or not all(isinstance(label, int | float) for label in labels):
        return False
    known = [label for label in labels if not math.isnan(label)]
    if any(label not in (0, 1) for label in known):
        return False
    return task.kind != "multiclass" or len(known) < len(labels) or sum(known) == 1


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
