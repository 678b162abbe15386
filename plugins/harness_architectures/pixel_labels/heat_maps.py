"""`heat_maps`: pixel labels by a patch classifier that is trained already; its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import ArchitectureFactory, BackboneFactory, Component, Task, file_facts, use
from harness_architectures.pixel_labels.declared import ASSUMED, SOURCE, SPACE, TINY
from harness_architectures.pixel_labels.sizes import widened, window_and_stride, window_facts

RANDOM = "random"


def build_heat_maps(
    task: Task,
    /,
    *,
    weights: str,
    architecture: ArchitectureFactory = use("gmic", crop_channels=1),
    backbone: BackboneFactory = use("timm", model="densenet121"),
    window_px: int | None = None,
    stride_px: int | None = None,
) -> Any:
    """Build the same with a trained classifier: no outlines are read, and a sample may be an exam of views.

    Args:
        task: classes, channels and image size.
        weights: path of the weights of a confirmed `pixel_labels` model with this backbone, whose classes, in
            this order, were the same; or "random", a control: further channels of a classifier that knows nothing.
        architecture: the architecture that is given image and heat maps.
        backbone: of the patch classifier.
        window_px: side of a patch, at least 1; by default 256/2944 of the image's height, rounded.
        stride_px: from one window to the next, at least 1; by default half a window.

    Raises:
        ValueError: the parameters cannot work for this image size.
        InputError: the weights cannot be read or do not fit.
    """
    from harness_architectures.pixel_labels.model import PixelLabels, load_classifier

    window, stride = window_and_stride(task, window_px, stride_px)
    model = PixelLabels(
        task,
        architecture=architecture(widened(task)),
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
    task: Task, /, *, weights: str, architecture: Any, window_px: int | None, stride_px: int | None, **_: Any
) -> Mapping[str, Any]:
    """Return the facts of `pixel_labels` and the digest of `weights`."""
    found = window_facts(task, architecture, *window_and_stride(task, window_px, stride_px))
    own = {} if weights == RANDOM else file_facts("weights", weights).get("files", {})
    files = {**found.get("files", {}), **own}
    return {**found, "files": files} if files else found


HEAT_MAPS: Component[Any] = Component(
    name="heat_maps",
    build=build_heat_maps,
    facts=heat_maps_facts,
    summary="heat maps of a patch classifier that was trained before, as further channels of another architecture",
    source=SOURCE,
    provides=frozenset({"saliency", "explain_layer"}),
    space=SPACE,
    tiny={**TINY, "weights": RANDOM},
    assumed=ASSUMED,
    xfail={"every_parameter_learns_in_some_phase": "the classifier is ready and stays as it is"},
)
