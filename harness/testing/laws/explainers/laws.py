"""Laws of explainers. The model to explain scores bright pixels as class 0, dark ones as class 1."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from harness.contract.nn import Explainer
from harness.contract.types import Task
from harness.testing.laws.compare import close, no_random_numbers, within
from harness.testing.laws.explainers.model import EDGE, SIZE, Failing, Spots, planted, state_of, unchanged
from harness.testing.laws.law import Law, expect, law
from harness.testing.laws.models.data import LawData
from harness.testing.laws.models.trials import run_confirm, same
from harness.testing.laws.subject import Subject

LAWS: list[Law] = []


@law(LAWS, mend="Resize maps to the image and scale each to [0, 1]; an empty map is all 0.")
def a_map_is_in_range_at_the_images_size(subject: Subject) -> None:
    """Check that each image has one finite map in [0, 1] at its own size."""
    maps = _explainer(subject).explain(Spots(), planted()[0], [0, 1, 0, 1])
    expect(maps.shape == (4, SIZE, SIZE), f"the maps have the shape {tuple(maps.shape)}, not (4, {SIZE}, {SIZE})")
    within(maps, 0.0, 1.0, "maps")


@law(LAWS, mend="Explain the score of `classes[i]` for image i, with the right sign and place.")
def a_planted_spot_is_found(subject: Subject) -> None:
    """Check that the spot of the class holds more than twice the share of a random map."""
    batch, spots = planted()
    chance = EDGE**2 / SIZE**2
    for kind in (0, 1):
        maps = _explainer(subject).explain(Spots(), batch, [kind] * 4)
        share = (maps * spots[:, kind]).sum((1, 2)) / maps.sum((1, 2)).clamp_min(1e-9)
        expect((share > 2 * chance).all(), f"class {kind}: shares {share.tolist()}, by chance {chance:.3f}")


@law(LAWS, mend="Restore modes, gradients, hooks and weights in a `finally`; work on a copy where you change layers.")
def the_model_is_left_as_it_was(subject: Subject) -> None:
    """Check that modes, weights, buffers, gradients and hooks are as before."""
    model, batch = Spots(), planted()[0]
    model.train()
    model.norm.eval()
    torch.autograd.backward(model.losses(model(batch), batch)["bce"])
    before = state_of(model)
    _explainer(subject).explain(model, batch, [0, 0, 1, 1])
    unchanged(before, state_of(model))


@law(LAWS, mend="Let the error through with the explainer's name before it, and restore the model in a `finally`.")
def a_failure_names_explainer_and_cause_and_leaves_the_model_as_it_was(subject: Subject) -> None:
    """Check that a model which fails half-way raises an error with both names: an empty map would pass for a result."""
    model, batch = Failing(), planted()[0]
    model.train()
    before, raised = state_of(model), ""
    try:
        _explainer(subject).explain(model, batch, [0, 0, 1, 1])
    except Exception as error:
        raised = str(error)
    expect("this model was asked to fail" in raised, f"the model fails, and the explainer raises {raised!r}")
    expect(subject.component.name in raised, f"the message does not name the explainer: {raised!r}")
    unchanged(before, state_of(model))


@law(
    LAWS, mend="Compute each map from its own image; draw from a generator of your own, seeded by nothing of the batch."
)
def a_map_depends_on_its_own_image_and_class_only(subject: Subject) -> None:
    """Check that a map is the same alone and in a batch, and after any random draws, and uses none up."""
    model, explainer, batch = Spots(), _explainer(subject), planted()[0]
    whole = explainer.explain(model, batch, [0, 1, 1, 0])
    torch.rand(7)
    with no_random_numbers("an explainer"):
        alone = explainer.explain(model, batch.only(2), [1])
    close(alone[0], whole[2], "a map alone", within=1e-4)


@law(LAWS, mend="Open `torch.enable_grad()` yourself, work on `detach()`ed images, and detach the maps.")
def it_explains_where_gradients_are_off(subject: Subject) -> None:
    """Check that a caller under `no_grad` gets the same maps, and the images do not change."""
    batch, _ = planted()
    assert batch.images is not None
    before, explainer = batch.images.clone(), _explainer(subject)
    with torch.no_grad():
        maps = explainer.explain(Spots(), batch, [0, 1, 0, 1])
    close(batch.images, before, "the images afterwards", exact=True)
    expect(not batch.images.requires_grad and not maps.requires_grad, "images or maps record gradients")
    close(maps, explainer.explain(Spots(), batch, [0, 1, 0, 1]), "maps with gradients on")


@law(LAWS, mend="Explain `classes[i]` from the image and the model; never read labels, masks or groups.")
def labels_and_groups_do_not_matter(subject: Subject) -> None:
    """Check that a batch of other labels and groups, and a blind one, has the same maps bit by bit."""
    batch, _ = planted()
    maps = _explainer(subject).explain(Spots(), batch, [0, 1, 0, 1])
    others = {
        "NaN labels": replace(batch, labels=torch.full_like(batch.labels, math.nan)),
        "other labels and groups": replace(batch, labels=1 - batch.labels, groups=("one",) * 4),
    }
    for name, other in others.items():
        close(_explainer(subject).explain(Spots(), other, [0, 1, 0, 1]), maps, f"maps with {name}", exact=True)


@law(LAWS, mend="Restore the model in a `finally`; read nothing but the batch and the model.", trains=True)
def it_changes_no_result(subject: Subject) -> None:
    """Check that weights and test scores keep their bits with the explainer, inverted masks and other test labels."""
    task = Task(classes=("bright", "dark"), image_size=(SIZE, SIZE))
    model = {"use": "cnn", **subject.catalog.get("architecture", "cnn").tiny}
    shown = {"use": [{"use": subject.component.name, **subject.params}], "images": 2}
    plain = run_confirm(subject.catalog, model, lambda root: LawData(root, task))
    explained = run_confirm(subject.catalog, model, lambda root: LawData(root, task, swapped=True), explain=shown)
    same(explained, plain, "with the explainer")


def _explainer(subject: Subject) -> Explainer:
    explainer: Explainer = subject.factory()()
    return explainer
