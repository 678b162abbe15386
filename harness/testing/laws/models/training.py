"""Laws of the training of an architecture."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from harness.contract.nn import Batch, Targets
from harness.contract.types import Task
from harness.testing.laws.compare import backward, finite, no_reseeding
from harness.testing.laws.law import Law, expect, expected, law
from harness.testing.laws.models.samples import batch_of, model_of, predicted, task_of, total
from harness.testing.laws.subject import Subject, seeded
from harness.trial.fit.phases import choose, set_modes

LAWS: list[Law] = []


@law(LAWS, mend="Compute losses from `out.float()`, and return scalars.")
def losses_are_finite_scalars_in_single_precision(subject: Subject) -> None:
    """Check that losses under bf16 autocast are finite scalars in fp32, for either kind of task."""
    for kind in ("multilabel", "multiclass"):
        task: Task = replace(task_of(subject), kind=kind)  # type: ignore[arg-type]
        model, batch = subject.build(task), batch_of(subject, task)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = model(batch)
        for name, loss in model.losses(out, batch).items():
            expect(loss.shape == () and loss.dtype == torch.float32, f"{name} is {loss.dtype} {tuple(loss.shape)}")
            finite(loss, f"{name}, {kind}")


@law(LAWS, mend="Use `harness.nn.masked_bce` or `masked_cross_entropy`: NaN times 0 is NaN.")
def unknown_labels_leave_losses_and_gradients_finite(subject: Subject) -> None:
    """Check that NaN labels leave gradients finite."""
    model, batch = model_of(subject), batch_of(subject)
    batch.labels[:2] = math.nan
    loss = total(model, batch)
    finite(loss, "the loss")
    backward(loss)
    wrong = [name for name, v in model.named_parameters() if v.grad is not None and not v.grad.isfinite().all()]
    expect(not wrong, f"the gradient of {', '.join(wrong)} is not finite")


@law(LAWS, mend="Register only layers that some loss depends on, in a phase whose `trainable` names them.")
def every_parameter_learns_in_some_phase(subject: Subject) -> None:
    """Check that every phase has a loss that learns, and every parameter a phase.

    The phases follow one another in the order of training.
    """
    model, batch = model_of(subject), batch_of(subject)
    learnt: set[str] = set()
    for phase in model.phases():
        model.zero_grad(set_to_none=True)
        choose(model, phase)
        model.begin_epoch(lambda: predicted(model, batch))
        set_modes(model, phase)
        loss = total(model, batch)
        expect(loss.requires_grad, f"nothing learns in phase {phase.name!r}")
        backward(loss)
        learnt |= {name for name, value in model.named_parameters() if value.grad is not None}
    idle = [name for name, _ in model.named_parameters() if name not in learnt]
    expect(not idle, f"no phase trains {', '.join(idle)}")


@law(LAWS, mend="Draw from torch's generator as it is, or from one of your own; never call `manual_seed`.")
def nothing_is_reseeded(subject: Subject) -> None:
    """Check that building a model and a training step do not reseed torch's generator."""
    batch = batch_of(subject)
    with no_reseeding():
        total(subject.factory()(task_of(subject)).train(), batch)


@law(LAWS, mend="Use a norm that takes one value a channel (group norm), or declare this law in `xfail`.")
def a_training_batch_of_one_is_enough(subject: Subject) -> None:
    """Check that a training step takes a batch of one sample."""
    model, batch = model_of(subject).train(), batch_of(subject)
    one = replace(batch.only(1), targets=_first(batch))
    with expected("a training batch of one"):
        loss = total(model, one)
        finite(loss, "the loss")
        backward(loss)


@law(
    LAWS,
    mend="Check that losses and scores depend on the images, and that weights start at a useful scale.",
    trains=True,
)
def eight_images_are_learnt_by_heart(subject: Subject) -> None:
    """Check that the training loss leads to correct scores of eight images within `steps` steps."""
    steps = subject.settings.steps
    with seeded(0):
        model, batch = model_of(subject), batch_of(subject, count=8)
        optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
        for _ in range(steps):
            out = model(batch)
            if ((out.probs > 0.5) == batch.labels.bool()).all():
                return
            optimiser.zero_grad()
            backward(torch.stack(list(model.losses(out, batch).values())).sum())
            optimiser.step()
    raise AssertionError(f"after {steps} steps the eight images are still not classified correctly")


def _first(batch: Batch) -> Targets | None:
    """Return the masks of the second sample, where there are any."""
    targets = batch.targets
    return None if targets is None else replace(targets, masks=targets.masks[1:2], known=targets.known[1:2])
