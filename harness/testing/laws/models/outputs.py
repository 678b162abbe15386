"""Laws of what an architecture returns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from harness.contract.nn import Model, Output
from harness.testing.laws.compare import close, finite, within
from harness.testing.laws.law import Law, expect, expected, law
from harness.testing.laws.models.samples import batch_of, blind, model_of, pixels_of, run, task_of, total
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []


@law(
    LAWS, mend="Return scores after the link, and `saliency` exactly if `provides` has it; divide and clamp as needed."
)
def scores_and_saliency_lie_between_0_and_1(subject: Subject) -> None:
    """Check that scores, heads and saliency have the shape of the task and lie between 0 and 1."""
    task = task_of(subject)
    out = run(subject, task)
    for name, scores in {"probs": out.probs, **out.heads}.items():
        expect(scores.shape == (4, len(task.classes)), f"{name} has the shape {tuple(scores.shape)}")
        within(scores, 0.0, 1.0, name)
    declared = "saliency" in subject.component.provides
    expect(
        declared == (out.saliency is not None),
        f"`provides` has saliency: {declared}; the output has it: {not declared}",
    )
    if out.saliency is not None:
        expect(out.saliency.shape[:2] == (4, len(task.classes)), f"saliency has the shape {tuple(out.saliency.shape)}")
        within(out.saliency, 0.0, 1.0, "saliency")


@law(
    LAWS,
    mend="Set `logits` to what the link (sigmoid, or softmax if classes exclude each other) turns into `probs`.",
)
def logits_agree_with_probs(subject: Subject) -> None:
    """Check that the link of `logits`, where there are any, is `probs`."""
    for kind in ("multilabel", "multiclass"):
        out = run(subject, replace(task_of(subject), kind=kind))
        if out.logits is not None:
            link = out.logits.sigmoid() if kind == "multilabel" else out.logits.softmax(1)
            close(link, out.probs, f"the link of `logits`, {kind}")


@law(LAWS, mend="Keep divisions and roots away from 0, and change no input in place.")
def constant_images_are_scored_and_a_batch_is_left_as_it_is(subject: Subject) -> None:
    """Check that constant images have finite scores and maps, and no input is written to."""
    model, batch = model_of(subject), batch_of(subject)
    name, pixels = pixels_of(batch)
    before = pixels.clone()
    total(model, batch)
    close(pixels, before, "the input afterwards", exact=True)
    nothing: dict[str, Any] = {name: torch.zeros_like(before)}
    with torch.no_grad():
        out = model.eval()(replace(blind(batch), **nothing))
    _finite(out)


@law(LAWS, mend='Write `explain_layer`, which returns one of the modules, exactly if `provides` has "explain_layer".')
def a_layer_to_explain_is_declared_where_there_is_one(subject: Subject) -> None:
    """Check that `provides` has "explain_layer" exactly if the model names a layer of its own."""
    model, declared = model_of(subject), "explain_layer" in subject.component.provides
    try:
        layer = model.explain_layer()
    except TypeError:
        expect(not declared, '`provides` has "explain_layer", and the model names none')
    else:
        expect(declared, '`provides` lacks "explain_layer", and the model names one')
        expect(any(layer is module for module in model.modules()), "the layer is not one of the model's modules")


@law(LAWS, mend="Use a softmax if `task.kind` is multiclass, and `task.channels` for the first layer.")
def exclusive_classes_and_colour_are_taken(subject: Subject) -> None:
    """Check that the scores of three exclusive classes of colour images sum to 1."""
    task = replace(task_of(subject), kind="multiclass", classes=("a", "b", "c"), channels=3)
    close(run(subject, task).probs.sum(1), torch.ones(4), "the sum of the scores")


@law(LAWS, mend="Keep the class axis: no `squeeze()`, and no arithmetic over a second class.")
def one_class_is_enough(subject: Subject) -> None:
    """Check that a task of one class is scored and has finite losses."""
    task = replace(task_of(subject), classes=("lesion",))
    with expected("a task of one class"):
        model: Model = subject.build(task)
        loss, out = total(model, batch_of(subject, task)), run(subject, task)
    expect(out.probs.shape == (4, 1), f"probs has the shape {tuple(out.probs.shape)}")
    within(out.probs, 0.0, 1.0, "probs")
    finite(loss, "the loss")


@law(LAWS, mend="Return the same `heads` in training and in eval mode: an objective may name one.")
def heads_are_the_same_in_both_modes(subject: Subject) -> None:
    """Check that training and eval mode return heads of the same names."""
    model, batch = model_of(subject), batch_of(subject)
    training, evaluated = sorted(model.train()(batch).heads), sorted(model.eval()(blind(batch)).heads)
    expect(training == evaluated, f"in training {training}, in eval mode {evaluated}")


def _finite(out: Output) -> None:
    for name, values in {"probs": out.probs, "saliency": out.saliency, **out.heads}.items():
        if values is not None:
            finite(values, name)
