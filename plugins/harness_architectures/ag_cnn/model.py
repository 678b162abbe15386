"""AG-CNN's network, losses and phases. Written from the paper; `regions` selects the crop."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness import Task
from harness.nn import Backbone, Batch, Grid, Model, Output, Phase, Pooling, outside_autocast
from harness_architectures.ag_cnn.regions import crop_and_resize, heat_map, largest_region
from harness_architectures.shared.scores import link, logit_loss

GLOBAL, LOCAL, FUSION = "global_branch", "local_branch", "fusion"
_GLOBAL = Phase(name="global", trainable=(GLOBAL,), select_by="val/global/auroc")
_LOCAL = Phase(name="local", trainable=(LOCAL,), eval_mode=(GLOBAL,), select_by="val/local/auroc")
_FUSION = Phase(name="fusion", trainable=(FUSION,), eval_mode=(GLOBAL, LOCAL))
PHASES = {
    "G": (Phase(name="global"),),
    "G_L_F": (_GLOBAL, _LOCAL, _FUSION),
    "G_L_F*": (_GLOBAL, _LOCAL, Phase(name="fusion")),
    "GL_F": (Phase(name="branches", trainable=(GLOBAL, LOCAL), select_by="val/local/auroc"), _FUSION),
    "G_LF": (_GLOBAL, Phase(name="local_fusion", trainable=(LOCAL, FUSION), eval_mode=(GLOBAL,))),
    "GLF": (Phase(name="joint"),),
}
"""Source: Guan et al. 2018, arXiv 1801.09927, section 3.3 and the comparison of training strategies."""


class Branch(nn.Module):
    """A network of its own: feature map, pooled vector, scores before the link."""

    def __init__(self, backbone: Backbone, pooling: Pooling, classes: int) -> None:
        super().__init__()
        self.backbone, self.pooling = backbone, pooling
        self.classifier = nn.Linear(backbone.features, classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute features "b d i j", vector "b d" and logits "b k"."""
        features = self.backbone(images)
        vector = self.pooling(features.flatten(2).transpose(1, 2)).value
        return features, vector, outside_autocast(self.classifier, vector)


class AGCNN(Model):
    """A global branch sees the image, a local one its hottest region, a fusion both of their vectors.

    Output: `probs` is the fusion's, `heads` are global, local and fusion. `saliency` is the global classifier at
    every cell. `parts` are `heat` "b h w", which is one for all classes, `boxes` "b 1 4" (pixels x0 y0 x1 y1,
    half open), `crops` "b 1 c h w", `attention` "b 1", and the logits that losses need. Without a local branch
    (scheme "G") `probs` is the global's.

    A loss counts while the classifier it is of learns, so that in each phase nothing but that phase's
    branch is trained; in training, what nothing yet learns from is not computed.

    Source: Guan et al. 2018, arXiv 1801.09927.
    """

    def __init__(
        self,
        task: Task,
        *,
        backbone: Any,
        pooling: Any,
        heat: Literal["max", "l1", "l2"],
        tau: float,
        crop: Literal["attention", "whole"],
        scheme: str,
        centred: bool = True,
    ) -> None:
        super().__init__()
        self.centred = centred
        self.exclusive, self.classes = task.kind == "multiclass", len(task.classes)
        self.heat, self.tau, self.crop, self.scheme = heat, tau, crop, scheme

        def branch() -> Branch:
            net = backbone(task.channels)
            return Branch(net, pooling(net.features, 1), self.classes)

        self.global_branch = branch()
        self.local_branch: Branch | None = None
        self.fusion: nn.Linear | None = None
        if scheme != "G":
            self.local_branch = branch()
            self.fusion = nn.Linear(2 * self.local_branch.classifier.in_features, self.classes)

    def forward(self, batch: Batch) -> Output:
        """Compute the scores of every branch that is needed, the maps, and the boxes of the local branch."""
        images = batch.images
        if images is None:
            raise TypeError("ag_cnn reads images, and this batch has none.")
        features, seen, logits = self.global_branch(images)
        heat = heat_map(features, (images.shape[2], images.shape[3]), self.heat, self.grid(batch))
        heads, parts = {"global": logits}, {"heat": heat}
        if self.local_branch is not None and self.fusion is not None and (not self.training or self._looks_closer()):
            boxes = self._boxes(heat)
            crops = crop_and_resize(images, boxes) if self.crop == "attention" else images
            _, closer, heads["local"] = self.local_branch(crops)
            heads["fusion"] = logits = outside_autocast(self.fusion, torch.cat((seen, closer), 1))
            parts |= {
                "boxes": boxes.unsqueeze(1),
                "crops": crops.unsqueeze(1),
                "attention": heat.new_ones(len(heat), 1),
            }
        return Output(
            probs=link(logits, self.exclusive),
            logits=logits,
            heads={name: link(values, self.exclusive) for name, values in heads.items()},
            saliency=self._saliency(features),
            parts={**parts, **{f"{name}_logits": values for name, values in heads.items()}},
        )

    def losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Compute the cross-entropy of each classifier that learns, averaged over the classes."""
        found = {}
        for name, classifier in self._classifiers().items():
            if classifier.weight.requires_grad:
                found[name] = self._loss(out.parts[f"{name}_logits"], batch)
        return found

    def phases(self) -> tuple[Phase, ...]:
        """Return one to three phases, depending on the scheme."""
        return PHASES[self.scheme]

    def explain_layer(self) -> nn.Module:
        """Return the global branch's network, whose output is the last feature map."""
        return self.global_branch.backbone

    def grid(self, batch: Batch) -> Grid | None:
        """Return where the maps' cells look, if `centred`."""
        images = batch.images
        return self.global_branch.backbone.grid(images) if self.centred and images is not None else None

    def _classifiers(self) -> dict[str, nn.Linear]:
        found = {"global": self.global_branch.classifier}
        if self.local_branch is not None and self.fusion is not None:
            found |= {"local": self.local_branch.classifier, "fusion": self.fusion}
        return found

    def _looks_closer(self) -> bool:
        """Return True if any layer after the crop learns."""
        return any(layer.weight.requires_grad for name, layer in self._classifiers().items() if name != "global")

    def _boxes(self, heat: Float[Tensor, "b h w"]) -> Tensor:
        if self.crop == "attention":
            return largest_region(heat, self.tau)
        height, width = heat.shape[1:]
        return torch.tensor([0, 0, width, height], device=heat.device).repeat(len(heat), 1)

    @torch.no_grad()
    def _saliency(self, features: Float[Tensor, "b d i j"]) -> Float[Tensor, "b k i j"]:
        """Classify each cell as if the whole image looked like it."""
        cells = outside_autocast(self.global_branch.classifier, features.movedim(1, 3))
        return link(cells, self.exclusive).movedim(3, 1)

    def _loss(self, logits: Float[Tensor, "b k"], batch: Batch) -> Float[Tensor, ""]:
        return logit_loss(logits, batch, self.exclusive) / (1 if self.exclusive else self.classes)
