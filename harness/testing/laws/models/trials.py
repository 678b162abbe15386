"""Laws of whole trials of an architecture: training and confirmation on a few tiny samples.

They notice every channel that changes a result, whatever it is made of.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from harness.contract.loading.catalog import Catalog
from harness.contract.tables import from_bytes
from harness.contract.types import WEIGHTS, TrialResult, TrialSpec, Workspace
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.models.data import NAME, LawData
from harness.testing.laws.models.samples import task_of
from harness.testing.laws.subject import Subject
from harness.trial.trial import run_trial

LAWS: list[Law] = []
Outcome = tuple[Mapping[str, torch.Tensor], list[float]]
"""Weights of a confirmed model, and its scores of the test split."""


@law(
    LAWS,
    mend='Read masks in training only, through `batch.targets`, with "train_masks" in `needs`; open no file.',
    trains=True,
)
def masks_and_test_labels_change_no_result(subject: Subject) -> None:
    """Check that weights and test scores keep their bits when masks are inverted and test labels permuted.

    Training masks stay as they are if `needs` has "train_masks".
    """
    found = _later(subject)
    if not alike(found, _alone(subject)):  # or a trial depends on the one before, which is another law
        found = _swapped(subject)
    same(found, _alone(subject), "with inverted masks and permuted test labels")


@law(LAWS, mend="Keep no state in globals, class attributes or files between models.", trains=True)
def a_trial_does_not_depend_on_the_one_before(subject: Subject) -> None:
    """Check that a trial after another one gives the bits that it gives alone."""
    if not alike(_later(subject), _alone(subject)):
        _run(subject, seed=1)
        same(_run(subject), _alone(subject), "after another trial")


def same(found: Outcome, expected: Outcome, what: str) -> None:
    """Check that two outcomes have the same bits."""
    (weights, scores), (old_weights, old_scores) = found, expected
    differ = [key for key in old_weights if not torch.equal(weights[key], old_weights[key])]
    expect(not differ, f"{what}, {len(differ)} of {len(old_weights)} weights differ, as {', '.join(differ[:2])}")
    wrong = sum(one != other for one, other in zip(scores, old_scores, strict=True))
    expect(wrong == 0, f"{what}, {wrong} of {len(scores)} test scores differ")


def alike(found: Outcome, expected: Outcome) -> bool:
    """Return True if two outcomes have the same bits."""
    try:
        same(found, expected, "")
    except AssertionError:
        return False
    return True


def run_confirm(
    catalog: Catalog,
    model: Mapping[str, Any],
    data: Callable[[Path], LawData],
    **spec: Any,
) -> Outcome:
    """Train and confirm a model in a folder of its own; return weights and test scores.

    Args:
        catalog: provides the components.
        model: the table of the architecture.
        data: the data set in a data root.
        spec: fields of TrialSpec, and `epochs`.
    """
    train = {"epochs": spec.pop("epochs", 2), "batch_size": 4, "lr": 0.01}
    tree = {"dataset": {"use": NAME}, "train": train, "model": dict(model)}
    known = {"study": "laws", "study_id": "0" * 16, "budget": "base", "variant": "law", "variant_id": "0" * 16}
    trial = TrialSpec(**{**known, "stage": "confirm", "number": 0, "seed": 0, "tree": tree, **spec})
    with tempfile.TemporaryDirectory(prefix="harness-trial-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        workspace = Workspace(data=root, cache=root / "cache", device="cpu")
        *_, result = run_trial(trial, _with(catalog, data(root)), workspace)
    assert isinstance(result, TrialResult)
    expect(result.state == "complete", f"the trial is {result.state}: {result.reason}")
    table = from_bytes(result.files["predictions.parquet"])
    scores: list[float] = table.loc[table["split"] == "test", "score"].tolist()
    return safetensors.torch.load(result.files[WEIGHTS]), scores


def _alone(subject: Subject) -> Outcome:
    """Return the outcome of the plain trial before any other."""
    found: Outcome = subject.once("alone", lambda: _run(subject))
    return found


def _later(subject: Subject) -> Outcome:
    """Return the outcome with inverted masks, permuted test labels and another trial before it.

    If it is that of the plain trial, neither matters.
    """
    _alone(subject)

    def after_another() -> Outcome:
        _run(subject, seed=1)
        return _swapped(subject)

    found: Outcome = subject.once("later", after_another)
    return found


def _swapped(subject: Subject) -> Outcome:
    keeps = ("train",) if "train_masks" in subject.component.needs else ()
    return _run(subject, swapped=True, keeps=keeps)


def _run(subject: Subject, seed: int = 0, **changed: Any) -> Outcome:
    task = replace(task_of(subject), mask_kind="none")
    epochs = subject.once("phases", lambda: len(subject.build(task).phases()))
    model = {"use": subject.component.name, **subject.params}
    return run_confirm(subject.catalog, model, lambda root: LawData(root, task, **changed), seed=seed, epochs=epochs)


def _with(catalog: Catalog, data: LawData) -> Catalog:
    """Return a catalog that builds this data set, whatever a tree names."""
    found, build = copy.copy(catalog), catalog.build

    def build_or_give(kind: str, table: Any, *supplied: Any, where: str = "") -> Any:
        return data if kind == "dataset" else build(kind, table, *supplied, where=where)

    setattr(found, "build", build_or_give)  # noqa: B010 - of this copy only
    return found
