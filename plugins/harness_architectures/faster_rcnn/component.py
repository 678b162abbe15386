"""Faster R-CNN with a feature pyramid, on boxes made from masks: its name, parameters and facts.

`boxes` makes what it learns from out of masks, `model` is the network (torchvision's parts) with its losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import BackboneFactory, Component, Task, use
from harness_architectures.faster_rcnn.sizes import NO_WEIGHTS, Sizes


def build_faster_rcnn(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("timm", model="resnet50"),
    levels: int = 4,
    width: int = 256,
    head: int = 1024,
    anchor_px: float | None = None,
    proposals: int = 1000,
    samples: int = 512,
    detections: int = 100,
    least_score: float = 0.0,
    least_px: int = 4,
) -> Any:
    """Build Faster R-CNN over a feature pyramid; its targets are the boxes around the lesions of each mask.

    Args:
        task: classes, channels and image size.
        backbone: one that provides stages; its own weights, if it is to start from any.
        levels: how many of its coarsest resolutions the pyramid has; at least 1.
        width: channels of the pyramid, at least 1.
        head: features of the two layers that judge a box, at least 1.
        anchor_px: side of the smallest anchor, at least 1; each coarser level's is twice as large. By default 32 px of
            800, in proportion for other lengths of the image's shorter side.
        proposals: boxes an image that the first stage hands to the second, after suppression, at least 1; in training
            twice as many, as torchvision does.
        samples: of them, how many an image, at least 1, the second stage is trained on; a quarter has a lesion.
        detections: most boxes that are kept of an image, at least 1.
        least_score: boxes that score no higher than this, in [0, 1), are dropped.
        least_px: components of a mask with fewer pixels, at least 1, get no box, unless its class has no larger one.

    Raises:
        ValueError: the parameters cannot work.
    """
    from harness_architectures.faster_rcnn.model import FasterRCNN

    sizes = Sizes(
        levels=levels,
        width=width,
        head=head,
        anchor_px=anchor_px,
        proposals=proposals,
        samples=samples,
        detections=detections,
        least_score=least_score,
        least_px=least_px,
    )
    return FasterRCNN(task, backbone(task.channels), sizes)


def faster_rcnn_facts(task: Task, /, *, backbone: Any, **sizes: Any) -> Mapping[str, Any]:
    """Return the side of the smallest anchor in pixels."""
    side = Sizes(**sizes).smallest_anchor(task)
    return {"anchor_px": round(side, 2), "canonical": {"anchor_px": side}}


FASTER_RCNN: Component[Any] = Component(
    name="faster_rcnn",
    build=build_faster_rcnn,
    facts=faster_rcnn_facts,
    summary="detector trained on boxes around the outlined lesions; an image scores as its best box",
    source="Ren et al. 2015, NeurIPS; pyramid: Lin et al. 2017, CVPR; parts: torchvision",
    needs=frozenset({"train_masks", "stages"}),
    provides=frozenset({"saliency"}),
    space={"anchor_px": {"float": [8.0, 64.0], "log": True}},
    tiny={
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "width": 16,
        "head": 32,
        "anchor_px": 12.0,
        "proposals": 50,
        "samples": 32,
        "least_px": 1,
    },
    refuses={"balance=weights": NO_WEIGHTS},
    assumed={
        "boxes": "the smallest box around each 8-connected component of a class's mask",
        "images without an outline": "one with any unknown outline or label trains nothing: it is no background",
        "scores": "an image scores as its best box of the class, 0 without one; no box is dropped for a low score, "
        "where torchvision drops those below .05",
        "saliency": "each pixel has the score of the best box that holds it",
        "anchor_px": "torchvision's anchors, in proportion to the image: nothing is resized to 800 px",
        "backbone": "ResNet-50 from random weights with batch-norm that learns; how the comparison's was made is "
        "not known",
        "multi-class": "the classes' scores divided by their sum; a class without outlines cannot be learnt",
    },
)
