"""Pixel labels as further input channels: a patch classifier's heat maps before another architecture.

`windows` places and labels the patches, `model` is the classifier with the architecture behind it. GMIC's paper
shows it as a variant of GMIC, DMV-CNN's as one of that network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import ArchitectureFactory, BackboneFactory, Component, Task, use
from harness_architectures.pixel_labels.declared import ASSUMED, SOURCE, SPACE, TINY
from harness_architectures.pixel_labels.sizes import widened, window_and_stride, window_facts


def build_pixel_labels(
    task: Task,
    /,
    *,
    architecture: ArchitectureFactory = use("gmic", crop_channels=1),
    backbone: BackboneFactory = use("timm", model="densenet121"),
    window_px: int | None = None,
    stride_px: int | None = None,
    patches: int = 8,
    patch_epochs: int | None = None,
) -> Any:
    """Build a patch classifier learnt from outlines, whose heat maps are further channels of the image.

    Args:
        task: classes, channels and image size.
        architecture: the one that receives image and heat maps; GMIC with `crop_channels = 1` crops the image alone.
        backbone: of the patch classifier.
        window_px: side of a patch, at least 1; by default 256/2944 of the image's height, rounded.
        stride_px: from one window to the next, at least 1; by default half a window.
        patches: drawn from each image and epoch while the classifier learns, half of them at a lesion if there is one,
            at least 2.
        patch_epochs: of the study's, how many the classifier learns, at least 1; by default its equal share.

    Raises:
        ValueError: the parameters cannot work for this image size.
    """
    from harness_architectures.pixel_labels.model import PixelLabels

    window, stride = window_and_stride(task, window_px, stride_px)
    _check(patches, patch_epochs)
    classifier = backbone(task.channels)
    return PixelLabels(
        task,
        architecture=architecture(widened(task)),
        classifier=classifier,
        window=window,
        stride=stride,
        patches=patches,
        epochs=patch_epochs,
    )


def pixel_labels_facts(
    task: Task,
    /,
    *,
    architecture: Any,
    window_px: int | None,
    stride_px: int | None,
    patches: int,
    patch_epochs: int | None,
    **_: Any,
) -> Mapping[str, Any]:
    """Return the inner architecture's facts, window and stride in pixels, and the number of windows."""
    window = window_and_stride(task, window_px, stride_px)
    _check(patches, patch_epochs)
    return window_facts(task, architecture, *window)


def _check(patches: int, patch_epochs: int | None) -> None:
    if patches < 2:
        raise ValueError(f"`patches >= 2` must hold: half are drawn at a lesion, but got {patches=}.")
    if patch_epochs is not None and patch_epochs < 1:
        raise ValueError(f"`patch_epochs >= 1` must hold, but got {patch_epochs=}.")


PIXEL_LABELS: Component[Any] = Component(
    name="pixel_labels",
    build=build_pixel_labels,
    facts=pixel_labels_facts,
    summary="a patch classifier learnt from outlines gives another architecture heat maps as further channels",
    source=SOURCE,
    needs=frozenset({"train_masks"}),
    provides=frozenset({"saliency", "explain_layer"}),
    space={"patches": {"int": [4, 16], "default": 8}, **SPACE},
    tiny={**TINY, "patches": 4},
    assumed={
        **ASSUMED,
        "patches": "half are centred near a pixel of a lesion, half drawn evenly; a patch has a class that fills a "
        "tenth of it, or half of whose outlined area it holds; less than that does not count",
        "best epoch": "of the classifier: by the AUC of its heat maps' maxima on validation images",
    },
)
