"""Laws of architectures over the views of an exam, in addition to the laws of all architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from harness.contract.nn import Batch
from harness.testing.bag_batches import bag_batch
from harness.testing.laws.compare import close, finite, noise
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.models.samples import labels_of, model_of, task_of
from harness.testing.laws.subject import Subject, seeded

LAWS: list[Law] = []


def reads_views(subject: Subject) -> bool:
    """Return True if the component reads views."""
    return "views" in subject.component.needs


@law(LAWS, mend="Score an exam from the views that are there.", applies=reads_views)
def one_view_is_enough(subject: Subject) -> None:
    """Check that an exam of any one view has finite scores and losses."""
    model, batch, views = model_of(subject), _exams(subject), task_of(subject).views
    for there, name in enumerate(views):
        alone = _without(batch, [place for place in range(len(views)) if place != there])
        out = model(alone)
        finite(out.probs, f"scores of {name} alone")
        for key, loss in model.losses(out, alone).items():
            finite(loss, f"{key} of {name} alone")


@law(LAWS, mend="Leave the views out whose `batch.mask` is False, in training too.", applies=reads_views)
def pixels_of_a_missing_view_do_not_matter(subject: Subject) -> None:
    """Check that scores and losses do not depend on the pixels of a missing view, in either mode."""
    batch, views = _exams(subject), task_of(subject).views
    for training in (False, True):
        model = model_of(subject).train(training)
        for missing, name in enumerate(views):
            outs = []
            for value in (0.0, 9.0):
                lacking = _without(batch, [missing], value)
                with seeded(0), torch.no_grad():
                    out = model(lacking)
                    outs.append((out.probs, model.losses(out, lacking)))
            close(outs[1][0], outs[0][0], f"scores without {name}, other pixels")
            close(outs[1][1], outs[0][1], f"losses without {name}, other pixels")


@law(LAWS, mend="Let every view take part in the scores.", applies=reads_views)
def a_present_view_matters(subject: Subject) -> None:
    """Check that leaving out any one view changes the scores."""
    model, batch = model_of(subject).eval(), _exams(subject)
    with torch.no_grad():
        whole = model(batch).probs
        for missing, name in enumerate(task_of(subject).views):
            expect((model(_without(batch, [missing])).probs != whole).any(), f"scores are the same without {name}")


def _exams(subject: Subject) -> Batch:
    """Return exams with all views."""
    task = task_of(subject)
    batch = bag_batch(task, labels_of(task, 4))
    assert batch.images is not None and batch.mask is not None
    images = 0.3 * noise(*batch.images.shape, seed=1)
    return replace(batch, images=images + batch.images, mask=torch.ones_like(batch.mask))


def _without(batch: Batch, missing: Sequence[int], value: float = 0.0) -> Batch:
    """Return the exams without these views; `value` fills their pixels."""
    assert batch.images is not None and batch.mask is not None
    images, mask = batch.images.clone(), batch.mask.clone()
    images[:, list(missing)], mask[:, list(missing)] = value, False
    return replace(batch, images=images, mask=mask)
