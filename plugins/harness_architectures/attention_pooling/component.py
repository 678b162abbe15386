"""End-to-end attention pooling over selected patches: its name, parameters and facts.

`scorer` is model A with its selection of patches, `model` is the whole with its two phases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import BackboneFactory, Component, PoolingFactory, Task, use
from harness_architectures.attention_pooling.settings import Settings
from harness_architectures.shared.checks import check_pools_features
from harness_architectures.shared.patches.grid import PatchGrid


def build_attention_pooling(
    task: Task,
    /,
    *,
    patch_px: int = 56,
    crop: tuple[int, int] | None = None,
    kept: int = 10,
    highest: int = 10,
    lowest: int = 10,
    scorer_epochs: int | None = None,
    scorer: BackboneFactory = use("timm", model="resnet50"),
    backbone: BackboneFactory = use("timm", model="resnet50"),
    pooling: PoolingFactory = use("squared_attention", dim=128, bias=True),
    features: int = 128,
) -> Any:
    """Build a patch scorer trained by multiple-instance learning, and a network over the patches it selects.

    Train without `augment`: the patches of an image are selected before each epoch, and an image that is
    flipped or moved afterwards is refused.

    Args:
        task: classes, channels and image size.
        patch_px: side of a patch, at least 1; must divide the crop, or the image.
        crop: height and width of the centred crop that is cut up; by default the whole image.
        kept: k, patches of an image and class that the scorer learns from; at least 1.
        highest: m, patches with the highest scores that the second network sees; at least 1.
        lowest: patches with the lowest scores that it sees as well, at least 0; m as published, 0 leaves them out.
        scorer_epochs: length of the first phase, at least 1; by default half of all epochs.
        scorer: model A's network.
        backbone: model B's network.
        pooling: reduces the selected patches to one vector.
        features: width of a patch's vector, at least 1.

    Raises:
        ValueError: the parameters cannot work for this image size.
    """
    from harness_architectures.attention_pooling.model import AttentionPooling, PooledNetwork
    from harness_architectures.attention_pooling.scorer import PatchScorer

    given: dict[str, Any] = {
        "patch_px": patch_px,
        "crop": crop,
        "kept": kept,
        "highest": highest,
        "lowest": lowest,
        "scorer_epochs": scorer_epochs,
        "features": features,
    }
    attention_pooling_facts(task, scorer=scorer, backbone=backbone, pooling=pooling, **given)
    classes = len(task.classes)
    return AttentionPooling(
        task,
        Settings(**given),
        scorer=PatchScorer(scorer(task.channels), features, classes),
        pooled=PooledNetwork(backbone(task.channels), features, pooling(features, 1), classes),
    )


def attention_pooling_facts(
    task: Task, /, *, scorer: Any, backbone: Any, pooling: Any, **settings: Any
) -> Mapping[str, Any]:
    """Return the number of patches, of patches learnt from, and of patches pooled (n)."""
    given = Settings(**settings)
    scorer.facts()
    backbone.facts()
    most = given.highest + given.lowest
    check_pools_features(pooling, most)
    if task.image_size == (0, 0):
        return {}
    count = PatchGrid.of(task.image_size, given.patch_px, given.crop).count
    kept = min(count, given.kept)
    return {"patches": count, "kept": kept, "pooled": min(count, most), "canonical": {"kept": kept}}


ATTENTION_POOLING: Component[Any] = Component(
    name="attention_pooling",
    build=build_attention_pooling,
    facts=attention_pooling_facts,
    summary="patch scorer re-selecting its patches each epoch, then attention over the highest and lowest, end to end",
    source="Liu et al. 2024, Geomatics and Information Science of Wuhan University, 1070-1078; US patent 12,008,076",
    provides=frozenset({"saliency", "attention"}),
    space={"kept": {"int": [1, 10]}, "highest": {"int": [2, 20]}},
    tiny={
        "patch_px": 16,
        "kept": 2,
        "highest": 3,
        "lowest": 3,
        "features": 8,
        "scorer": {"use": "resnet22", "stride": 8, "width": 2},
        "backbone": {"use": "resnet22", "stride": 8, "width": 2},
        "pooling": {"use": "squared_attention", "dim": 8, "bias": True},
    },
    refuses={
        "augment": "attention_pooling selects an image's patches before each epoch, and they must still be there: "
        "leave `train.augment` empty"
    },
    assumed={
        "normalisation": "squares of sigmoid scores over their sum; the source prints no formula. Other readings: "
        "pooling.rule = mean_square, root_mean_square, signed",
        "kept, highest, lowest": "10 each; k and m are not published",
        "patch_px": "56 by default; the side of a patch is not published, nor are optimiser, rate and epochs",
        "scores": "a sigmoid per class also where exactly one class holds; the scorer's image score is the mean of its "
        "k highest patches, divided by the sum over classes where exactly one holds",
        "several classes": "each class re-selects its own k patches; patches are ranked by their highest class score "
        "for the second network, and all classes share its attention",
        "few patches": "an image of fewer than m + m patches has each of them once, of fewer than k all are kept",
        "stopping": "both phases end with their best epoch; the second begins from fresh weights of its own",
        "saliency": "attention over the image's highest, times the class probability of the patch alone; 0 where no "
        "patch was selected; of the scorer alone its patch scores",
        "background": "not dropped: tiles, not whole slides",
        "layers": "ReLU after the first of two linear layers",
        "initialisation": "timm's and PyTorch's, unless `scorer` and `backbone` name weights; the source's scorer "
        "starts from ImageNet",
    },
)
