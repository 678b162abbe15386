"""ResNet whose stages keep the stem's resolution: a fine map for a small patch, at the price of time and memory."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from harness.nn import Backbone

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class UnitResNet(Backbone):
    """timm's ResNet of basic blocks with every stride behind the stem set to 1, every batch-norm starting at 1.

    The layers, and so the parameters, are those of the ResNet of this depth without its last layer.

    Args:
        channels: of the images.
        depth: 18 or 34.
        width: of the first stage, doubled by each of the three others; the stem has 64 whatever it is.
    """

    def __init__(self, channels: int, *, depth: int, width: int) -> None:
        super().__init__()
        from timm.models.resnet import BasicBlock, ResNet

        widths = tuple(width * 2**level for level in range(4))
        self.net: Any = ResNet(
            BasicBlock, BLOCKS[depth], in_chans=channels, channels=widths, num_classes=0, zero_init_last=False
        )
        for stage in (self.net.layer2, self.net.layer3, self.net.layer4):
            stage[0].conv1.stride = stage[0].downsample[0].stride = (1, 1)
        self.features, self.stride = widths[-1], 4

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        """Compute the last stage, at a quarter of the image's height and width."""
        return self.stages(images)[-1]

    def stages(self, images: Float[Tensor, "b c h w"]) -> tuple[Tensor, ...]:
        """Compute the output of each stage; all have one size."""
        net = self.net
        x = net.maxpool(net.act1(net.bn1(net.conv1(images))))
        found = []
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            found.append(x)
        return tuple(found)
