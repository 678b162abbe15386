"""ResNet-22: the global network of GMIC, a pre-activation ResNet of five narrow stages."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from harness.nn import Backbone


class ResNet22(Backbone):
    """Stem convolution, max-pool, five stages of two blocks, batch norm, ReLU.

    Nothing normalises or rectifies the stem, and the max-pool has no padding: 2944x1920 goes
    1472x960, 735x479, 735x479, 368x240, 184x120, 92x60, 46x30.

    Args:
        channels: of the images.
        width: channels of stem and first stage; each later stage has twice as many.
        strides: of the first block of each stage; (1, 2, 2, 2, 2) is published.
        xavier: convolutions start from Xavier's normal distribution, not from PyTorch's default.

    Source: Shen et al. 2021, Medical Image Analysis 68, 101908; He et al. 2016, "Identity mappings".
    """

    def __init__(
        self, channels: int, *, width: int = 16, strides: Sequence[int] = (1, 2, 2, 2, 2), xavier: bool = False
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.blocks = nn.ModuleList()
        features, self.stride = width, 4
        for level, stride in enumerate(strides):
            out = width * 2**level
            self.blocks.append(nn.Sequential(Block(features, out, stride, project=True), Block(out, out)))
            features, self.stride = out, self.stride * stride
        self.features = features
        self.norm = nn.BatchNorm2d(features)
        self.relu = nn.ReLU(inplace=True)
        for layer in self.modules() if xavier else ():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_normal_(layer.weight)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Compute the last stage, normalised and rectified."""
        return self.stages(images)[-1]

    def stages(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """Compute each stage's output, fine to coarse; only the last is normalised and rectified."""
        x = self.pool(self.stem(images))
        found = []
        for stage in self.blocks:
            x = stage(x)
            found.append(x)
        return (*found[:-1], self.relu(self.norm(x)))


class Block(nn.Module):
    """Pre-activation basic block: BN, ReLU, 3x3, BN, ReLU, 3x3, plus the shortcut; no ReLU after the sum.

    Args:
        project: the shortcut is a strided 1x1 convolution of the *pre-activated* input (the first
            block of every stage, the first stage's included); else it is the raw input.
    """

    def __init__(self, features: int, out: int, stride: int = 1, *, project: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(features)
        self.conv1 = nn.Conv2d(features, out, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(features, out, 1, stride=stride, bias=False) if project else None
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b e i j"]:
        """Compute the block's sum."""
        active = self.relu(self.norm1(x))
        kept = x if self.shortcut is None else self.shortcut(active)
        main: Tensor = self.conv2(self.relu(self.norm2(self.conv1(active))))
        return main.add_(kept)
