"""Laws of what must not change the output of an architecture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from harness.contract.nn import Batch, Output, Targets
from harness.testing.laws.compare import attributes, changed, close, finite, no_random_numbers, same_weights
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.models.samples import batch_of, blind, model_of, pixels_of
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []
_BF16 = 0.1
"""Largest difference of a score in bf16; eight bits are rounded in every layer."""


@law(LAWS, mend="Read labels, masks and groups in `losses` only, or in training mode.")
def labels_masks_and_groups_do_not_matter_outside_training(subject: Subject) -> None:
    """Check that eval mode gives the same bits for other labels, masks and groups, and for none."""
    model, batch = model_of(subject).eval(), batch_of(subject)
    if batch.images is not None and batch.images.ndim == 4:
        known = torch.ones_like(batch.labels, dtype=torch.bool)
        masks = torch.ones(*batch.labels.shape, *batch.images.shape[2:])
        other = Targets(masks=masks, known=known)
    else:
        other = None
    groups = ("one group",) * len(batch.labels)
    changes = {"blind": blind(batch), "others": replace(batch, labels=1 - batch.labels, groups=groups, targets=other)}
    with torch.no_grad():
        expected = _tensors(model(batch))
        for name, changed_batch in changes.items():
            close(_tensors(model(changed_batch)), expected, f"the output, {name}", exact=True)


@law(LAWS, mend="Keep no state of a batch on the model, and draw random numbers in training only.")
def eval_is_deterministic_and_leaves_nothing_behind(subject: Subject) -> None:
    """Check that eval mode repeats itself, draws no random number and changes nothing on the model.

    What the first batch sets up once may stay.
    """
    model, batch = model_of(subject).eval(), batch_of(subject)
    names = {name: set(vars(module)) for name, module in model.named_modules()}
    state = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        first, before = model(batch), attributes(model)
        with no_random_numbers("eval mode"):
            model(_negative(batch))
        kept = changed(before, attributes(model))
        expect(not kept, f"a batch changes {', '.join(kept)}")
        close(model(batch).probs, first.probs, "scores of a second call", exact=True)
    expect(names == {name: set(vars(module)) for name, module in model.named_modules()}, "a batch adds attributes")
    close(dict(model.state_dict()), state, "the weights afterwards", exact=True)


@law(LAWS, mend="Normalise, rank and pool within an image, never over the batch.")
def the_scores_of_an_image_do_not_depend_on_its_batch(subject: Subject) -> None:
    """Check that an image alone has the scores that it has in a batch."""
    model, batch = model_of(subject).eval(), blind(batch_of(subject))
    with torch.no_grad():
        close(model(batch.only(1)).probs, model(batch).probs[1:2], "scores of an image alone")


@law(LAWS, mend="Keep all state in parameters and buffers.")
def weights_survive_a_state_dict(subject: Subject) -> None:
    """Check that a model with another's weights gives its scores."""
    first, second = model_of(subject).eval(), model_of(subject, seed=1).eval()
    second.load_state_dict(first.state_dict())
    batch = blind(batch_of(subject))
    with torch.no_grad():
        close(second(batch).probs, first(batch).probs, "scores with the same weights", exact=True)


@law(LAWS, mend="Draw initial weights from torch's generator, and reseed nothing.")
def one_seed_gives_one_model(subject: Subject) -> None:
    """Check that one seed gives one set of weights."""
    same_weights(model_of(subject, seed=3), model_of(subject, seed=3))


@law(LAWS, mend="Call the last layer as `harness.nn.outside_autocast(layer, values)`: ties in bf16 change an AUC.")
def scores_are_not_rounded_to_half_precision(subject: Subject) -> None:
    """Check that the last layer is in fp32 under autocast."""
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        out = model_of(subject).eval()(blind(batch_of(subject)))
    scores = out.probs if out.logits is None else out.logits
    expect(scores.dtype == torch.float32, f"scores are {scores.dtype}")
    expect((scores != scores.bfloat16()).any(), f"all scores are rounded to bf16: {scores.tolist()}")


@law(LAWS, mend="Compute exponentials, sums and differences of close values in fp32 (`values.float()`).")
def bf16_changes_scores_little(subject: Subject) -> None:
    """Check that scores and maps under bf16 autocast are finite, and scores within 0.1 of those in fp32."""
    model, batch = model_of(subject).eval(), blind(batch_of(subject))
    with torch.no_grad():
        full = model(batch).probs
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out: Output = model(batch)
    for name, values in _tensors(out).items():
        finite(values, f"{name} in bf16")
    difference = float((out.probs.float() - full).abs().max())
    expect(difference <= _BF16, f"a score changes by {difference:.3f}")


@law(LAWS, mend="Use torch's operations, and no result of unordered sums to choose by.")
def threads_change_scores_little(subject: Subject) -> None:
    """Check that one and two threads agree within 1e-5."""
    model, batch, before = model_of(subject).eval(), blind(batch_of(subject).only(1)), torch.get_num_threads()
    scores = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.no_grad():
                scores.append(model(batch).probs)
    finally:
        torch.set_num_threads(before)
    difference = float((scores[0] - scores[1]).abs().max())
    expect(difference <= 1e-5, f"a score changes by {difference:g}")


def _negative(batch: Batch) -> Batch:
    """Return other images of the same shape, with other labels and names."""
    name, values = pixels_of(batch)
    ids = tuple(f"other {name}" for name in batch.ids)
    other: dict[str, Any] = {name: -values}
    return replace(batch, **other, labels=1 - batch.labels, ids=ids, groups=ids)


def _tensors(out: Output) -> dict[str, torch.Tensor]:
    named = {"probs": out.probs, "logits": out.logits, "saliency": out.saliency, **out.heads}
    return {name: values for name, values in named.items() if values is not None}
