"""GoogLeNet of torchvision without its pooling and head; timm has none."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from harness import InputError
from harness.nn import Backbone
from harness_backbones import weights as stored

LEVELS = {
    8: ("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b"),
    16: ("maxpool3", "inception4a", "inception4b", "inception4c", "inception4d", "inception4e"),
    32: ("maxpool4", "inception5a", "inception5b"),
}
"""Stride -> the stages that a network of half that stride lacks."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IGNORED = ("fc.", "aux1.", "aux2.")


class GoogLeNet(Backbone):
    """Inception modules with batch norm, down to a stride of 8, 16 or 32 (published).

    Without the auxiliary heads, whose losses the published fine-tuning leaves out as well.

    Args:
        channels: of the images.
        stride: 8, 16 or 32.
        features: channels of the last map at this stride.
        rescaled: whether images, as normalised for ImageNet, are first brought to the range that torchvision's
            weights were trained with.

    Source: Szegedy et al. 2015, CVPR; batch norm as in torchvision.
    """

    def __init__(self, channels: int, *, stride: int, features: int, rescaled: bool) -> None:
        super().__init__()
        from torchvision.models import googlenet

        net = googlenet(weights=None, aux_logits=False, transform_input=False, init_weights=False)
        self.net = nn.ModuleDict()
        for level in [level for level in LEVELS if level <= stride]:
            self.net.update({name: getattr(net, name) for name in LEVELS[level]})
        if channels != 3:
            old = net.conv1.conv
            net.conv1.conv = nn.Conv2d(channels, old.out_channels, 7, stride=2, padding=3, bias=False)
        self.features, self.stride, self.rescaled = features, stride, rescaled
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        self.scale: Tensor
        self.offset: Tensor
        self.register_buffer("scale", deviation / 0.5, persistent=False)
        self.register_buffer("offset", (mean - 0.5) / 0.5, persistent=False)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Compute the last feature map."""
        return self.stages(images)[-1]

    def stages(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """Compute the maps of stride 8, 16 and 32, up to the network's stride."""
        ends = {names[-1] for names in LEVELS.values()}
        x, found = self._seen(images), []
        for name, part in self.net.items():
            x = part(x)
            found += [x] if name in ends else []
        return tuple(found)

    def _seen(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return images * self.scale + self.offset if self.rescaled else images


def build(channels: int, *, stride: int, features: int, pretrained: bool, weights: str | None) -> GoogLeNet:
    """Build a backbone with the requested weights; see `harness_backbones.googlenet.component.build_googlenet`."""
    rescaled = pretrained and weights is None and channels == 3
    net = GoogLeNet(channels, stride=stride, features=features, rescaled=rescaled)
    if pretrained or weights:
        state = _from_torchvision() if weights is None else stored.read(weights)
        names = {name.split(".")[0] for name in net.net.state_dict()}
        state = {key: value for key, value in state.items() if key.split(".")[0] in names or not _known(key)}
        stored.fit(net.net, state, channels, weights or "GoogLeNet_Weights.IMAGENET1K_V1", "conv1.conv")
        net.measure_lean(channels)
    return net


def _known(key: str) -> bool:
    """Return True if a weight belongs to a part of GoogLeNet that this network may lack."""
    return key.startswith(IGNORED) or key.split(".")[0] in {name for names in LEVELS.values() for name in names}


def _from_torchvision() -> dict[str, Any]:
    from torchvision.models import GoogLeNet_Weights

    chosen = GoogLeNet_Weights.IMAGENET1K_V1
    kept = torch.hub.get_dir() + "/checkpoints/" + chosen.url.rpartition("/")[2]
    try:
        return dict(chosen.get_state_dict(progress=False))
    except OSError as error:
        raise InputError(
            f"the pretrained weights of GoogLeNet are not available: {error}. Put them at {kept}, "
            "or set pretrained = false or weights = PATH."
        ) from error
