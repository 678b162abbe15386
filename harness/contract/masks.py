"""What a data set's samples, labels and masks offer, in the words of `Component.needs`."""

from __future__ import annotations

from collections.abc import Mapping, Set

from harness.contract.types import MaskKind, SampleKind, Task

OFFERED: Mapping[SampleKind, frozenset[str]] = {
    "image": frozenset({"single_image"}),
    "bag": frozenset({"instances", "bag"}),
    "views": frozenset({"instances", "views"}),
    "features": frozenset({"instances", "features"}),
}
"""Kind of sample -> what it offers. "instances" are offered by whatever has several of them, of any kind."""

SAMPLE_WORDS = frozenset().union(*OFFERED.values())

LAYERS: Mapping[int, int] = {255: 3, 128: 2, 64: 1, 32: 0, 0: -1}
"""Grey value of a layer map -> how much the layer matters; 255 is the key layer, 0 the background."""
KEY_LAYER = 255
TOLERANCE = 8
"""A grey value this close to a layer's is that layer's: maps stored with loss are a little off."""

REGIONS: frozenset[MaskKind] = frozenset({"outline", "circle", "box"})
"""Kinds of mask that say of each pixel whether it is inside a lesion; layers say which layer it is."""


def offers(task: Task) -> frozenset[str]:
    """What a task's samples, labels and masks offer, in the words of `Component.needs`.

    "eval_masks" (any), "train_masks" and "region" (outlines, circles or boxes), the kind of mask itself, and
    "multiclass" where exactly one class holds; what a sample is, in the words of OFFERED.
    """
    found = set(OFFERED[task.sample]) | ({"multiclass"} if task.kind == "multiclass" else set())
    if task.mask_kind != "none":
        found |= {"eval_masks", task.mask_kind}
    if task.mask_kind in REGIONS:
        found |= {"train_masks", "region"}
    return frozenset(found)


KINDS_OF_TASK = frozenset({"multiclass", "region", *REGIONS, "layers"})
"""The words of `offers` that say what a task is like, not what a stage may read."""


def unmet(needs: Set[str], provides: Set[str], task: Task) -> list[str]:
    """What a component needs and does not find; one that names no kind of sample reads single images.

    Args:
        needs: the component's, and those of its parts.
        provides: of the data set and the parts.
        task: says what a sample is.
    """
    implied = {"single_image"} if task.sample != "image" and not needs & SAMPLE_WORDS else set()
    return sorted((needs | implied) - provides)
