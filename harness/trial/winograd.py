"""3x3 convolutions of large maps by Winograd's algorithm, where it is the faster one.

oneDNN's convolutions do what multiplications a processor without AVX-512 can do; NNPACK, which torch brings along,
makes do with fewer. docs/benchmarks.md says what that gains.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

LEAST_CHANNELS = 32
"""With fewer, transforming the image costs more than is saved."""

LEAST_CELLS = 1024
"""Of a map; on smaller ones, transforming the weights costs more than is saved."""


class WinogradConv2d(nn.Conv2d):
    """A convolution whose scores, not its gradients, are computed with fewer products where that is faster.

    Results differ from other convolutions' by roundings in fp32, about 1e-5 of the largest. An image's own do not
    depend on the others of its batch. While gradients are recorded, in lower precision, with few channels and on
    small maps it is torch's.

    Source: Lavin & Gray 2016, CVPR, "Fast Algorithms for Convolutional Neural Networks", F(6x6, 3x3).
    """

    def forward(self, input: Tensor) -> Tensor:
        """As `torch.nn.Conv2d`: (N, C, H, W) to (N, D, H, W)."""
        if not self._pays(input):
            return super().forward(input)
        nnpack: Any = torch._nnpack_spatial_convolution
        weight = self.weight.contiguous()
        # One after the other: in batches NNPACK is slower, and its roundings depend on the batch.
        images = torch.split(input.contiguous(), 1)
        found = [nnpack(image, weight, self.bias, self.padding, self.stride) for image in images]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _pays(self, input: Tensor) -> bool:
        return (
            input.ndim == 4
            and len(input) > 0
            and input.shape[2] * input.shape[3] >= LEAST_CELLS
            and input.dtype == torch.float32 == self.weight.dtype
            and input.device.type == "cpu"
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
        )


def fewer_products(model: nn.Module) -> None:
    """Lets the 3x3 convolutions of a model on the CPU take Winograd's way; weights and names stay."""
    if not _is_faster():
        return
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):  # what a plugin derives from it is the plugin's
            module.__class__ = WinogradConv2d


def _fits(convolution: nn.Conv2d) -> bool:
    ones = convolution.stride == convolution.padding == convolution.dilation == (1, 1)
    shape = convolution.kernel_size == (3, 3) and convolution.groups == 1 and convolution.padding_mode == "zeros"
    return ones and shape and convolution.in_channels >= LEAST_CHANNELS


@cache
def _is_faster() -> bool:
    """Whether NNPACK is there and the processor is of the kind on which it was measured to be faster."""
    available: Any = getattr(torch, "_nnpack_available", None)  # it has to be asked once, or NNPACK refuses to work
    return cast(bool, torch.backends.cpu.get_cpu_capability() == "AVX2" and available is not None and available())
