"""Probabilities and losses from logits, of exclusive or independent classes."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from harness.nn import Batch, masked_bce, masked_cross_entropy


def link(logits: Float[Tensor, "*any k"], exclusive: bool) -> Float[Tensor, "*any k"]:
    """Apply the softmax to exclusive classes, else a sigmoid to each; in fp32."""
    return logits.float().softmax(-1) if exclusive else logits.float().sigmoid()


def logit_loss(
    logits: Float[Tensor, "b k"], batch: Batch, exclusive: bool, *, classes: Literal["sum", "mean"] = "sum"
) -> Float[Tensor, ""]:
    """Compute the cross-entropy, binary unless classes are exclusive; unknown exclusive labels do not count.

    Averaged over images. Binary ones are summed over `classes`, or their mean over all of them is taken.
    """
    if exclusive:
        return masked_cross_entropy(logits, batch.labels, weights=batch.weights)
    loss = masked_bce(logits, batch.labels, link="logits", weights=batch.weights)
    return loss / logits.shape[1] if classes == "mean" else loss
