"""Faster R-CNN from torchvision's parts, on images of the study's own size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from harness import Task
from harness.nn import Backbone, Batch, Model, Output
from harness_architectures.faster_rcnn.boxes import fully_known, painted, targets_of
from harness_architectures.faster_rcnn.sizes import CANONICAL_BOX, NO_WEIGHTS, Sizes, scale
from harness_architectures.shared.class_maps import map_shapes

PROBE = 224
"""Height of the blank image for a backbone's stages, where the study's is not known."""
RATIOS = (0.5, 1.0, 2.0)
EPS = 1e-6

Detected = Mapping[str, Tensor]
Levels = dict[str, Tensor]


class FasterRCNN(Model):
    """A first stage proposes boxes on each level of a feature pyramid, a second judges each of them.

    Output: `probs` of a class is the score of its best box, 0 where there is none; `saliency` at the image's
    size has at each pixel the score of the best box that holds it; `parts` are `boxes` "b n 4" (x0 y0 x1 y1 in
    pixels), `scores` "b n" and `classes` "b n", filled up with class -1.

    Boxes and losses exclude each other, as in torchvision: in training `parts` holds the four losses instead,
    which need the outlines, and `probs` says how the boxes score that the second stage was trained on
    (0 of an image that trains nothing).

    Source: Ren et al. 2015, NeurIPS; Lin et al. 2017, CVPR.
    """

    def __init__(self, task: Task, backbone: Backbone, sizes: Sizes) -> None:
        super().__init__()
        self.exclusive, self.classes, self.least_px = task.kind == "multiclass", len(task.classes), sizes.least_px
        width, proposals = sizes.width, sizes.proposals
        self.backbone = backbone
        self.stages, features = _resolutions(backbone, task, sizes.levels)
        self.pyramid = FeaturePyramidNetwork(features, width, LastLevelMaxPool())
        smallest = sizes.smallest_anchor(task)
        sides = [smallest * 2**level for level in range(len(features) + 1)]
        anchors = AnchorGenerator([(side,) for side in sides], [RATIOS] * len(sides))
        self.region_proposals = RegionProposalNetwork(
            anchors,
            RPNHead(width, len(RATIOS)),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_top_n={"training": 2 * proposals, "testing": proposals},
            post_nms_top_n={"training": 2 * proposals, "testing": proposals},
            nms_thresh=0.7,
        )
        names = [str(level) for level in range(len(features))]
        canonical = max(1, round(CANONICAL_BOX * scale(task)))
        self.judge = RoIHeads(
            MultiScaleRoIAlign(names, output_size=7, sampling_ratio=2, canonical_scale=canonical),
            TwoMLPHead(width * 7**2, sizes.head),
            FastRCNNPredictor(sizes.head, 1 + self.classes),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=sizes.samples,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=sizes.least_score,
            nms_thresh=0.5,
            detections_per_img=sizes.detections,
        )

    def forward(self, batch: Batch) -> Output:
        """Compute boxes, scores and maps, or in training the losses."""
        if batch.images is None:
            raise TypeError("faster_rcnn reads images, and this batch has none.")
        stages = self.backbone.stages(batch.images)
        levels = self.pyramid({str(number): stages[stage] for number, stage in enumerate(self.stages)})
        # Anchors, matching and suppression are geometry: bf16 has no pixel to spare for them.
        with torch.autocast(batch.images.device.type, enabled=False):
            levels = {name: level.float() for name, level in levels.items()}
            return self._train(batch, levels) if self.training else self._detect(batch.images, levels)

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return torchvision's four losses: classification and box regression of both stages.

        Raises:
            ValueError: the output is not one of training.
        """
        if "loss_classifier" not in out.parts:
            raise ValueError(f"faster_rcnn has losses in training only; {NO_WEIGHTS}.")
        return {name.removeprefix("loss_"): loss for name, loss in out.parts.items()}

    def _train(self, batch: Batch, levels: Levels) -> Output:
        """Compute the losses over the fully known images; the others must not count as background."""
        if batch.targets is None:
            raise TypeError("faster_rcnn is trained on outlines, and this batch has none.")
        assert batch.images is not None
        rows = fully_known(batch).nonzero().flatten()
        probs = torch.zeros_like(batch.labels)
        if not len(rows):
            nothing = torch.stack([level.sum() for level in levels.values()]).sum() * 0
            return Output(probs=probs, parts={"loss_classifier": nothing})
        images = batch.images
        if len(rows) < len(probs):  # rare: taking all of them would copy every map, and in the backward pass again
            images, levels = images[rows], {name: level[rows] for name, level in levels.items()}
        targets = targets_of(batch, rows, self.least_px)
        proposals, first = self.region_proposals(_listed(images), levels, targets)
        proposals, _, kinds, offsets = self.judge.select_training_samples(proposals, targets)
        logits, moves = self._judged(levels, proposals, _size(images))
        classifier, box_reg = fastrcnn_loss(logits, moves, kinds, offsets)
        scores = logits.detach().softmax(1)[:, 1:].split([len(boxes) for boxes in proposals])
        probs[rows] = torch.stack([self._best(image) for image in scores]).to(probs.dtype)
        return Output(probs=self._link(probs), parts={"loss_classifier": classifier, "loss_box_reg": box_reg, **first})

    def _detect(self, images: Tensor, levels: Levels) -> Output:
        size = _size(images)
        proposals, _ = self.region_proposals(_listed(images), levels)
        logits, moves = self._judged(levels, proposals, size)
        boxes, scores, kinds = self.judge.postprocess_detections(logits, moves, proposals, [size] * len(images))
        found = list(zip(boxes, scores, [kind - 1 for kind in kinds], strict=True))
        judged = logits.softmax(1)[:, 1:].split([len(image) for image in proposals])
        best = torch.stack([self._best(image) for image in judged])
        maps = [painted(*item, (self.classes, *size)) for item in found]
        return Output(
            probs=self._link(best),
            saliency=torch.stack(maps),
            parts={
                "boxes": _filled(boxes, 0.0),
                "scores": _filled(scores, 0.0),
                "classes": _filled([kind for *_, kind in found], -1.0),
            },
        )

    def _judged(self, levels: Levels, proposals: list[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Compute the second stage's logits "n 1+k" and corrections "n 4(1+k)" of all images' proposals."""
        seen = self.judge.box_roi_pool(levels, proposals, [size] * len(proposals))
        found: tuple[Tensor, Tensor] = self.judge.box_predictor(self.judge.box_head(seen))
        return found

    def _best(self, scores: Float[Tensor, "n k"]) -> Float[Tensor, " k"]:
        """Return each class's best box score; suppression keeps that box, the limit on boxes may not."""
        best = torch.cat((scores, scores.new_zeros(1, self.classes))).amax(0)
        return best.where(best > self.judge.score_thresh, 0.0)

    def _link(self, scores: Float[Tensor, "b k"]) -> Float[Tensor, "b k"]:
        if not self.exclusive:
            return scores
        scores = scores + EPS  # of an image without a box all classes are equally likely
        return scores / scores.sum(1, keepdim=True)


def _resolutions(backbone: Backbone, task: Task, levels: int) -> tuple[tuple[int, ...], list[int]]:
    """Return the deepest stage of each of the coarsest resolutions, fine to coarse, and its channels.

    Raises:
        ValueError: a resolution is not half of the one before: boxes could not be dealt out to levels.
    """
    height = task.image_size[0] or PROBE
    shapes = map_shapes(backbone, task, stages=True)
    deepest = {round(math.log2(height / high)): number for number, (_, high, _) in enumerate(shapes)}
    chosen = sorted(deepest)[-levels:]
    if chosen != list(range(chosen[0], chosen[0] + len(chosen))):
        strides = ", ".join(str(2**level) for level in chosen)
        raise ValueError(f"each stage of the backbone must halve the one before, but their strides are {strides}.")
    numbers = tuple(deepest[level] for level in chosen)
    return numbers, [shapes[number][0] for number in numbers]


def _filled(rows: Sequence[Tensor], value: float) -> Tensor:
    """Pad rows of unequal length to one tensor "b n …"."""
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)


def _listed(images: Float[Tensor, "b c h w"]) -> ImageList:
    return ImageList(images, [_size(images)] * len(images))


def _size(images: Tensor) -> tuple[int, int]:
    return images.shape[-2], images.shape[-1]
