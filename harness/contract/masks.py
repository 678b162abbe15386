"""The properties of samples, labels and masks that `Component.needs` may name."""

from __future__ import annotations

from collections.abc import Mapping, Set

from harness.contract.types import MaskKind, SampleKind, Task

OFFERED: Mapping[SampleKind, frozenset[str]] = {
    "image": frozenset({"single_image"}),
    "bag": frozenset({"instances", "bag"}),
    "views": frozenset({"instances", "views"}),
    "features": frozenset({"instances", "features"}),
}
"""Kind of sample -> properties that it offers. "instances" holds for every kind with several instances."""

SAMPLE_WORDS = frozenset().union(*OFFERED.values())

LAYERS: Mapping[int, int] = {255: 3, 128: 2, 64: 1, 32: 0, 0: -1}
"""Grey value of a layer map -> how much the layer matters; 255 is the key layer, 0 the background."""
KEY_LAYER = 255
TOLERANCE = 8
"""Largest distance of a grey value from that of its layer; lossy compression changes values slightly."""

REGIONS: frozenset[MaskKind] = frozenset({"outline", "circle", "box"})
"""Kinds of mask that state for each pixel whether it is inside a lesion; "layers" states its layer."""


def offers(task: Task) -> frozenset[str]:
    """Return the properties of a task that `Component.needs` may name.

    These are "eval_masks" (any mask), "train_masks" and "region" (outlines, circles or boxes), and the kind of mask.
    "multiclass" is added if exactly one class holds. OFFERED has the properties of the kind of sample.
    """
    found = set(OFFERED[task.sample]) | ({"multiclass"} if task.kind == "multiclass" else set())
    if task.mask_kind != "none":
        found |= {"eval_masks", task.mask_kind}
    if task.mask_kind in REGIONS:
        found |= {"train_masks", "region"}
    return frozenset(found)


KINDS_OF_TASK = frozenset({"multiclass", "region", *REGIONS, "layers"})
"""The words of `offers` that describe a task, not what a stage may read."""


def unmet(needs: Set[str], provides: Set[str], task: Task) -> list[str]:
    """Return the needs of a component that are not met; one that names no kind of sample reads single images.

    Args:
        needs: of the component and its parts.
        provides: of the data set and the parts.
        task: states the kind of sample.
    """
    implied = {"single_image"} if task.sample != "image" and not needs & SAMPLE_WORDS else set()
    return sorted((needs | implied) - provides)
