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


def use_winograd(model: nn.Module) -> None:
    """Lets the 3x3 convolutions of a model on the CPU take Winograd's way; classes, names and weights stay."""
    if not _is_faster():
        return
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):  # what a plugin derives from it is the plugin's
            vars(module)["_conv_forward"] = convolve  # what `forward` calls: captum looks rules up by the exact class


def convolve(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3 convolution with stride and padding 1, with fewer products where that is faster.

    Results differ from other convolutions' by roundings in fp32, about 1e-5 of the largest. An image's own do not
    depend on the others of its batch. While gradients are recorded, in lower precision and on small maps it is torch's.

    Args:
        input: (N, C, H, W).
        weight: (D, C, 3, 3).
        bias: (D,) or None.

    Returns:
        (N, D, H, W).

    Source: Lavin & Gray 2016, CVPR, "Fast Algorithms for Convolutional Neural Networks", F(6x6, 3x3).
    """
    if not _pays(input, weight):
        return nn.functional.conv2d(input, weight, bias, padding=1)
    nnpack: Any = torch._nnpack_spatial_convolution
    weight = weight.contiguous()
    # One after the other: in batches NNPACK is slower, and its roundings depend on the batch.
    found = [nnpack(image, weight, bias, (1, 1), (1, 1)) for image in torch.split(input.contiguous(), 1)]
    return found[0] if len(found) == 1 else torch.cat(found)


def _pays(input: Tensor, weight: Tensor) -> bool:
    return (
        input.ndim == 4
        and len(input) > 0
        and input.shape[2] * input.shape[3] >= LEAST_CELLS
        and input.dtype == torch.float32 == weight.dtype
        and input.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


def _fits(convolution: nn.Conv2d) -> bool:
    ones = convolution.stride == convolution.padding == convolution.dilation == (1, 1)
    shape = convolution.kernel_size == (3, 3) and convolution.groups == 1 and convolution.padding_mode == "zeros"
    return ones and shape and convolution.in_channels >= LEAST_CHANNELS


@cache
def _is_faster() -> bool:
    """Whether NNPACK is there and the processor is of the kind on which it was measured to be faster."""
    available: Any = getattr(torch, "_nnpack_available", None)  # it has to be asked once, or NNPACK refuses to work
    return cast(bool, torch.backends.cpu.get_cpu_capability() == "AVX2" and available is not None and available())
