"""Pixel labels as further input channels: a patch classifier's heat maps in front of another system.

`windows` places and labels the patches, `model` is the classifier with the system behind it. GMIC's paper
shows it as a variant of GMIC, DMV-CNN's as one of that network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness import ArchitectureFactory, BackboneFactory, Component, Misfit, Task, file_facts, use

WINDOW_PER_HEIGHT = 256 / 2944
"""Side of a window as a share of the image's height, in the paper's configuration."""
RANDOM = "random"


def build_pixel_labels(
    task: Task,
    /,
    *,
    system: ArchitectureFactory = use("gmic", crop_channels=1),
    backbone: BackboneFactory = use("timm", model="densenet121"),
    window_px: int | None = None,
    stride_px: int | None = None,
    patches: int = 8,
    patch_epochs: int | None = None,
) -> Any:
    """A patch classifier learnt from outlines, slid over the image; its heat maps are further channels.

    Args:
        task: classes, channels and image size.
        system: what is given image and heat maps; GMIC with `crop_channels = 1` crops the image alone.
        backbone: of the patch classifier.
        window_px: side of a patch; by default 256/2944 of the image's height, rounded.
        stride_px: from one window to the next; by default half a window.
        patches: drawn from each image and epoch while the classifier learns, half of them at a lesion if
            there is one.
        patch_epochs: of the study's, how many the classifier learns; by default its equal share.

    Raises:
        ValueError: the parameters cannot work for this image size.
    """
    from harness_architectures.pixel_labels.model import PixelLabels

    window, stride = _window(task, window_px, stride_px, patches, patch_epochs)
    classifier = backbone(task.channels)
    return PixelLabels(
        task,
        system=system(widened(task)),
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
    system: ArchitectureFactory,
    backbone: BackboneFactory,
    window_px: int | None = None,
    stride_px: int | None = None,
    patches: int = 8,
    patch_epochs: int | None = None,
) -> Mapping[str, Any]:
    """The system's facts, window and stride in pixels, and how many windows an image has."""
    window, stride = _window(task, window_px, stride_px, patches, patch_epochs)
    inner = system.facts(widened(task))
    found = {key: value for key, value in inner.items() if key != "canonical"}
    found |= {"window_px": window, "stride_px": stride}
    if min(task.image_size):
        found["windows"] = len(starts(task.image_size[0], window, stride)) * len(
            starts(task.image_size[1], window, stride)
        )
    return {**found, "canonical": {"window_px": window, "stride_px": stride}}


def build_heat_maps(
    task: Task,
    /,
    *,
    weights: str,
    system: ArchitectureFactory = use("gmic", crop_channels=1),
    backbone: BackboneFactory = use("timm", model="densenet121"),
    window_px: int | None = None,
    stride_px: int | None = None,
) -> Any:
    """The same with a classifier that is ready: no outlines are read, and a sample may be an exam of views.

    Args:
        task: classes, channels and image size.
        weights: path of the weights of a confirmed `pixel_labels` model with this backbone, whose classes, in
            this order, were the same; or "random", a control: further channels of a classifier that knows nothing.
        system: what is given image and heat maps.
        backbone: of the patch classifier.
        window_px: side of a patch; by default 256/2944 of the image's height, rounded.
        stride_px: from one window to the next; by default half a window.

    Raises:
        ValueError: the parameters cannot work for this image size.
        InputError: the weights cannot be read or do not fit.
    """
    from harness_architectures.pixel_labels.model import PixelLabels, load_classifier

    window, stride = _window(task, window_px, stride_px)
    model = PixelLabels(
        task,
        system=system(widened(task)),
        classifier=backbone(task.channels),
        window=window,
        stride=stride,
        patches=0,
        epochs=None,
        ready=True,
    )
    if weights != RANDOM:
        load_classifier(model, weights)
    return model


def heat_maps_facts(
    task: Task,
    /,
    *,
    weights: str,
    system: ArchitectureFactory,
    backbone: BackboneFactory,
    window_px: int | None = None,
    stride_px: int | None = None,
) -> Mapping[str, Any]:
    """As of `pixel_labels`, and what is in `weights`."""
    found = pixel_labels_facts(task, system=system, backbone=backbone, window_px=window_px, stride_px=stride_px)
    own = {} if weights == RANDOM else file_facts("weights", weights).get("files", {})
    files = {**found.get("files", {}), **own}
    return {**found, "files": files} if files else found


def widened(task: Task) -> Task:
    """The task as the system sees it: a channel more for each class."""
    return replace(task, channels=task.channels + len(task.classes))


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along an axis: every stride, and one flush with the end."""
    found = list(range(0, length - window + 1, stride))
    return found if found[-1] == length - window else [*found, length - window]


def _window(
    task: Task, window_px: int | None, stride_px: int | None, patches: int = 2, patch_epochs: int | None = None
) -> tuple[int, int]:
    """Side and stride in pixels; of an unknown image those of the published one."""
    least = min(task.image_size)
    window = window_px if window_px is not None else max(1, round(WINDOW_PER_HEIGHT * (task.image_size[0] or 2944)))
    stride = stride_px if stride_px is not None else max(1, window // 2)
    if window < 1:
        raise ValueError(f"`window_px >= 1` must hold, but got {window}.")
    if least and window > least:
        raise Misfit(f"`window_px <= {least}` must hold for images of {task.image_size}, but got {window}.")
    if not 1 <= stride <= window:
        raise ValueError(f"`1 <= stride_px <= {window}` must hold: windows leave no gap, but got {stride_px=}.")
    if patches < 2:
        raise ValueError(f"`patches >= 2` must hold: half are drawn at a lesion, but got {patches=}.")
    if patch_epochs is not None and patch_epochs < 1:
        raise ValueError(f"`patch_epochs >= 1` must hold, but got {patch_epochs=}.")
    return window, stride


_TINY = {
    "system": {
        "use": "gmic",
        "crop_channels": 1,
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "local_backbone": {"use": "timm", "model": "resnet10t"},
        "pooling": {"use": "top_fraction", "fraction": 0.2},
        "local_pooling": {"use": "gated_attention", "dim": 8},
        "crops": 2,
        "crop_px": 24,
    },
    "backbone": {"use": "resnet22", "stride": 8, "width": 2},
    "window_px": 24,
    "stride_px": 20,
}
_SPACE = {"system": {"use": "gmic", "crop_channels": 1, "map_l1": {"log10": [-5.5, -3.5]}}}
"""Of the default system; another one brings ranges of its own, and the window is the classifier's."""
_ASSUMED = {
    "stride_px": "half a window; neither text says",
    "classifier": "one sigmoid a class on averaged features of a DenseNet-121; it is frozen while the system learns, "
    "batch-norm included",
    "heat maps": "a pixel has the score of the window whose centre is nearest",
    "colour": "the default system crops the first channel, which is all of a grey image: for colour set "
    "`system.crop_channels = 3`",
}
_SOURCE = "Shen et al. 2021, Medical Image Analysis 68, 101908; Wu et al. 2019, IEEE TMI"

COMPONENT: Component[Any] = Component(
    name="pixel_labels",
    build=build_pixel_labels,
    facts=pixel_labels_facts,
    summary="a patch classifier learnt from outlines gives another system heat maps as further channels",
    source=_SOURCE,
    needs=frozenset({"train_masks"}),
    provides=frozenset({"evidence", "explain_layer"}),
    space={"patches": {"int": [4, 16], "default": 8}, **_SPACE},
    tiny={**_TINY, "patches": 4},
    assumed={
        **_ASSUMED,
        "patches": "half are centred near a pixel of a lesion, half drawn evenly; a patch has a class that fills a "
        "tenth of it, or half of whose outlined area it holds; less than that does not count",
        "best epoch": "of the classifier: by the AUC of its heat maps' maxima on validation images",
    },
)
READY: Component[Any] = Component(
    name="heat_maps",
    build=build_heat_maps,
    facts=heat_maps_facts,
    summary="heat maps of a patch classifier that was trained before, as further channels of another system",
    source=_SOURCE,
    provides=frozenset({"evidence", "explain_layer"}),
    space=_SPACE,
    tiny={**_TINY, "weights": RANDOM},
    assumed=_ASSUMED,
    xfail={"every_parameter_learns_in_some_phase": "the classifier is ready and stays as it is"},
)
