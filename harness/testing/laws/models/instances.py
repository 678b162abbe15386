"""Laws of architectures that read several instances, in addition to the laws of all architectures.

Components that need "instances" are tested on bags of images and on feature tables, those that need one of the two
on that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from harness.contract.masks import SAMPLE_WORDS
from harness.contract.nn import Batch, Model
from harness.contract.types import SampleKind, Task
from harness.testing.bag_batches import FEATURES, bag_batch, padded, reordered
from harness.testing.laws.compare import close, finite
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []
_LABELS = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]


def reads_instances(subject: Subject) -> bool:
    """Return True if the component reads bags or feature tables."""
    return bool(subject.component.needs & SAMPLE_WORDS - {"single_image", "views"})


@law(
    LAWS,
    mend="Take a bag of one instance: no variance over instances, no fixed number of them.",
    applies=reads_instances,
)
def one_instance_is_enough(subject: Subject) -> None:
    """Check that a bag of one instance has finite scores and losses."""
    for kind, model, batch in _cases(subject):
        alone = _cut(batch.only(1), 1)
        out = model(alone)
        finite(out.probs, f"scores of {kind}")
        for name, loss in model.losses(out, alone).items():
            finite(loss, f"{name} of {kind}")


@law(LAWS, mend="Leave the instances out whose `batch.mask` is False.", applies=reads_instances)
def padding_does_not_matter(subject: Subject) -> None:
    """Check that more padding, and none, leave the scores as they are."""
    for kind, model, batch in _cases(subject):
        with torch.no_grad():
            whole = model.eval()(batch).probs
            close(model(padded(batch, 3)).probs, whole, f"{kind} with more padding")
            for row in range(len(_LABELS)):
                own = _cut(batch.only(row), int(batch.mask[row].sum()))  # type: ignore[index]
                close(model(own).probs, whole[row : row + 1], f"{kind} {row} without padding")


@law(LAWS, mend="Count only real instances in losses over instances.", applies=reads_instances)
def padding_does_not_matter_to_losses(subject: Subject) -> None:
    """Check that more padding leaves the losses as they are."""
    for kind, model, batch in _cases(subject):
        longer = padded(batch, 3)
        with torch.no_grad():
            found, whole = model.eval().losses(model(longer), longer), model.losses(model(batch), batch)
        close(found, whole, f"losses of {kind} with more padding")


@law(LAWS, mend="Reduce the instance axis with an operation that commutes.", applies=reads_instances)
def order_of_instances_does_not_matter(subject: Subject) -> None:
    """Check that instances in another order have the same scores."""
    order = torch.tensor([3, 0, 4, 2, 1])
    for kind, model, batch in _cases(subject):
        with torch.no_grad():
            close(model.eval()(reordered(batch, order)).probs, model(batch).probs, f"{kind} in another order")


@law(
    LAWS,
    mend='Return `parts["attention"]`, "b n w", exactly if `provides` has "attention": each column sums to 1.',
    applies=reads_instances,
)
def attention_is_a_distribution_over_the_real_instances(subject: Subject) -> None:
    """Check that attention is declared, at least 0, 0 in the padding, and sums to 1 in each bag."""
    declared = "attention" in subject.component.provides
    for kind, model, batch in _cases(subject):
        with torch.no_grad():
            attention = model.eval()(batch).parts.get("attention")
            expect(
                declared == (attention is not None), f"`provides` has attention: {declared}; the output: {not declared}"
            )
            if attention is None:
                continue
            assert batch.mask is not None
            expect(
                attention.shape[:2] == batch.mask.shape, f"attention of {kind} has the shape {tuple(attention.shape)}"
            )
            expect((attention >= 0).all(), f"attention of {kind} is negative")
            expect((attention[~batch.mask] == 0).all(), f"padding of {kind} has attention")
            close(attention.sum(1), torch.ones_like(attention[:, 0]), f"the sum of attention of {kind}")
            alone = model(batch.only(2)).parts["attention"]
            close(alone, attention[2:3], f"attention of {kind} alone")  # not normalised over the batch


def _cases(subject: Subject) -> Iterator[tuple[SampleKind, Model, Batch]]:
    """Yield a new model and a batch of each kind of sample that the component reads."""
    kinds: tuple[SampleKind, ...] = ("bag", "features")
    own = subject.component.needs & set(kinds)
    for kind in kinds:
        if not own or kind in own:
            task = _task(subject.settings.task, kind)
            yield kind, subject.build(task), bag_batch(task, torch.tensor(_LABELS))


def _task(task: Task, kind: SampleKind) -> Task:
    if kind == "features":
        return replace(task, sample=kind, features=FEATURES, image_size=(0, 0))
    return replace(task, sample=kind)


def _cut(batch: Batch, count: int) -> Batch:
    """Return the first `count` instances of each bag."""
    chosen: Any = torch.arange(count)
    return reordered(batch, chosen)
