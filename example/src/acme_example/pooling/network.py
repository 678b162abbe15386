"""The formula of `median`, and the module that calls it. Needs torch."""

from __future__ import annotations

import torch
from harness.nn import Pooled, Pooling
from torch import Tensor


def median(values: Tensor, mask: Tensor | None, window: int) -> Tensor:
    """Return the median of each column.

    Args:
        values: "b n k", an instance a row.
        mask: "b n", True where there is an instance; None if all are there.
        window: number of neighbouring instances that are averaged first.

    Returns:
        "b k"; 0 for a bag without instances.
    """
    if mask is not None:
        values = values.masked_fill(~mask[..., None], torch.nan)
    if window > 1:
        values = values.unfold(1, min(window, values.shape[1]), 1).nanmean(-1)
    return values.nanmedian(dim=1).values.nan_to_num(0.0)


class Median(Pooling):
    """The median over unmasked instances; see `median`."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(self, x: Tensor, key: Tensor | None = None, mask: Tensor | None = None) -> Pooled:
        """Return the median as `Pooled.value`; a median has no weights."""
        return Pooled(median(x, mask, self.window))
