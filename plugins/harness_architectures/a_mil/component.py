"""A-MIL, attention over the patches of a histology image: its name, parameters and facts; `model` is the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component, PoolingFactory, Task, use
from harness_architectures.shared.checks import check_pools_features
from harness_architectures.shared.patches.grid import PatchGrid

LEAST_PX = 16  # two 5x5 convolutions without padding and two halvings leave one cell


def build_a_mil(
    task: Task,
    /,
    *,
    patch_px: int = 28,
    crop: tuple[int, int] | None = None,
    pooling: PoolingFactory = use("attention", dim=128, bias=True),
    features: int = 500,
    width: int = 20,
) -> Any:
    """Build A-MIL: patches through a small network, attention over them, one score per image.

    Args:
        task: classes, channels and image size.
        patch_px: side of a patch, 16 or more; must divide the crop, or the image.
        crop: height and width of the centred crop that is cut up; by default the whole image.
        pooling: reduces the patches' features to one vector.
        features: width of a patch's feature vector, at least 1.
        width: channels of the first convolution, at least 2; the second has 5/2 of them.

    Raises:
        ValueError: the parameters cannot work for this image size.
    """
    from harness_architectures.a_mil.model import AMil

    given: dict[str, Any] = {"patch_px": patch_px, "crop": crop, "features": features, "width": width}
    a_mil_facts(task, pooling=pooling, **given)
    return AMil(task, pooling=pooling(features, 1), **given)


def a_mil_facts(
    task: Task,
    /,
    *,
    patch_px: int,
    crop: tuple[int, int] | None,
    pooling: Any,
    features: int,
    width: int,
) -> Mapping[str, Any]:
    """Return the number of patches, their rows and columns, and the canonical form of the pooling."""
    if patch_px < LEAST_PX:
        raise ValueError(f"`patch_px >= {LEAST_PX}` must hold: smaller ones do not pass, but got {patch_px=}.")
    if features < 1 or width < 2:
        raise ValueError(f"`features >= 1` and `width >= 2` must hold, but got {features=}, {width=}.")
    check_pools_features(pooling, 1)
    if task.image_size == (0, 0):
        return {}
    grid = PatchGrid.of(task.image_size, patch_px, crop)
    canonical = pooling.facts(grid.count).get("canonical")
    return {
        "patches": grid.count,
        "map": [grid.rows, grid.columns],
        "canonical": {} if canonical is None else {"pooling": canonical},
    }


A_MIL: Component[Any] = Component(
    name="a_mil",
    build=build_a_mil,
    facts=a_mil_facts,
    summary="28 px patches through a small network, attention over all of them, stitched back into a picture",
    source="Patil, Tamboli, Meena, Anand, Sethi 2019, WIECON-ECE; arXiv 2003.00823",
    provides=frozenset({"saliency", "explain_layer", "attention"}),
    space={
        "patch_px": {"choice": [28, 56]},
        "pooling": {"choice": [{"use": "attention", "bias": True}, {"use": "gated_attention", "bias": True}]},
    },
    tiny={
        "patch_px": 16,
        "features": 24,
        "width": 6,
        "pooling": {"use": "attention", "dim": 8, "bias": True},
    },
    assumed={
        "saliency": "a patch's attention over the image's highest, times the class probability the classifier gives "
        "that patch alone: attention by itself is no saliency for a class",
        "loss": "from logits; the published code clamps probabilities to [1e-5, 1 - 1e-5]",
        "several classes": "one attention for all, a linear output each; softmax where exactly one class holds",
        "crop": "centred, the upper and left margin rounded down; Grad-CAM's picture is stretched over the margin",
        "initialisation": "PyTorch's defaults",
    },
)
