"""Samples are checked before the first epoch: unique ids, a group in one split, labels of the task."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contract.errors import ContractError, InputError
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Sample, Split, Workspace
from harness.testing.fakes import Squares, tiny_spec
from harness.trial.data.sound import check_samples
from tests.harness.trial.seams.strangers import NAMED, end, events, register, swapped

Change = Callable[[str, Sequence[Sample]], Sequence[Sample]]


def first(name: str, **fields: Any) -> Change:
    """Return a change of the first sample of one split."""
    return lambda split, found: [swapped(found[0], **fields), *found[1:]] if split == name else found


def builder(change: Change, kind: str = "multilabel", base: type[Squares] = Squares) -> Callable[..., Squares]:
    """Return the builder of Squares whose splits are changed."""

    class Changed(base):  # type: ignore[valid-type, misc]
        digest = "changed"

        def split(self, name: Split) -> Sequence[Sample]:
            return change(name, super().split(name))

    return lambda root, /: Changed(root, 24, 16, 0.0, kind, False)


WRONG = [
    (
        first("test", group="train-p0"),
        "multilabel",
        "the group 'train-p0' in train and test, but each group in one split",
    ),
    (first("val", id="train0"), "multilabel", "the id 'train0' more than once, but unique ids"),
    (first("train", labels=(0.0,)), "multilabel", r"the labels \[0\.0\] of 'train0', but 2 labels of 0, 1 or NaN"),
    (first("test", labels=(0.5, 1.0)), "multilabel", r"the labels \[0\.5, 1\.0\] of 'test0'"),
    (first("train", labels=("yes", 1.0)), "multilabel", r"the labels \['yes', 1\.0\] of 'train0'"),
    (first("val", labels=(1.0, 1.0)), "multiclass", r"the labels \[1\.0, 1\.0\] of 'val0', but .* NaN, one of them 1"),
]


@pytest.mark.parametrize(("change", "kind", "reason"), WRONG)
def test_a_data_set_that_breaks_the_contract_fails_the_trial_before_the_first_epoch(
    tiny: Catalog, workspace: Workspace, change: Change, kind: str, reason: str
) -> None:
    register(tiny, "dataset", strange=builder(change, kind))
    spec = tiny_spec()
    (found,) = events(replace(spec, tree={**spec.tree, "dataset": {"use": "strange"}}), tiny, workspace)
    assert re.match(f"dataset 'strange'{NAMED}gave {reason}", found.reason), found.reason
    assert re.search(r"; the law [\w, ]+ of harness.testing finds this$", found.reason)


def test_all_mistakes_are_listed_at_once() -> None:
    def change(name: str, found: Sequence[Sample]) -> Sequence[Sample]:
        return first("val", id="train0", group="train-p0", labels=(3.0, 0.0))(name, found)

    with pytest.raises(ContractError) as caught:
        check_samples(builder(change)(Path()))
    assert all(part in str(caught.value) for part in ("'train0' more than once", "in train and val", "[3.0, 0.0]"))


def test_unknown_labels_and_groups_of_val_in_tune_loc_are_allowed() -> None:
    def change(name: str, found: Sequence[Sample]) -> Sequence[Sample]:
        if name == "tune_loc":
            return [replace(sample, id=f"again {sample.id}") for sample in Squares.split(plain, "val")]
        return first("train", labels=(math.nan, 1.0))(name, found)

    plain = Squares(Path(), 24, 16, 0.0, "multilabel", False)
    check_samples(builder(change)(Path()))


class Deep(Squares):
    """Images of a type that is not allowed."""

    def read(self, sample: Sample) -> np.ndarray:
        return super().read(sample).astype(np.float64)


def test_an_image_of_another_type_names_the_data_set(tiny: Catalog, workspace: Workspace) -> None:
    register(tiny, "dataset", strange=builder(lambda _, found: found, base=Deep))
    spec = tiny_spec()
    with pytest.raises(InputError, match=f"dataset 'strange'{NAMED[:-1]}: image .*: uint8 or uint16 expected"):
        end(replace(spec, tree={**spec.tree, "dataset": {"use": "strange"}}), tiny, workspace)
