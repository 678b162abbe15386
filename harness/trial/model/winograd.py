"""3x3 convolutions of large maps by Winograd's algorithm, on processors where it is faster.

On a processor without AVX-512, oneDNN's convolutions are limited by its multiplications; NNPACK, which is part of
torch, needs fewer. docs/benchmarks.md has the speedup.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

LEAST_CHANNELS = 32
"""With fewer channels, transforming the image costs more than it saves."""

LEAST_CELLS = 1024
"""Cells of a map; on smaller maps, transforming the weights costs more than it saves."""


def use_winograd(model: nn.Module) -> None:
    """Let the 3x3 convolutions of a model on the CPU use Winograd's algorithm; classes, names and weights stay."""
    if not _is_faster():
        return
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):  # subclasses of plugins are left unchanged
            vars(module)["_conv_forward"] = convolve  # called by `forward`; captum needs the exact class of the module


def convolve(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute a 3x3 convolution with stride and padding 1, by Winograd's algorithm if that is faster.

    Results differ from other convolutions by fp32 rounding, about 1e-5 of the largest. Those of an image do not
    depend on the others of its batch. With gradients, in lower precision and on small maps, torch's own is used.

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
    """Return True if NNPACK is available and the processor is of a kind on which it was measured to be faster."""
    available: Any = getattr(torch, "_nnpack_available", None)  # must be called once before NNPACK works
    return cast(bool, torch.backends.cpu.get_cpu_capability() == "AVX2" and available is not None and available())
