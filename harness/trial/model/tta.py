"""Test-time augmentation: a score is the mean over changed copies of an image. Maps stay those of the image itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.contract.nn import Batch, Output
from harness.trial.data.loader import Loader
from harness.trial.model.load import mean_output


def over_copies(out: Output, batch: Batch, loader: Loader, run: Callable[[Batch], Output]) -> Output:
    """The output with scores and heads averaged over `train.tta` copies of each image; as it is where that is 0.

    Args:
        out: of the images as they are; keeps its saliency and parts, and loses its logits.
        batch: those images.
        loader: what the batch came from; makes the copies, which depend on an image's id alone.
        run: the model in eval mode, without gradients.
    """
    copies = [run(copy) for copy in loader.copies(batch.ids)] if loader.settings.tta else []
    if not copies:
        return out
    mean = mean_output([replace(copy, saliency=None) for copy in copies])
    return replace(out, probs=mean.probs, heads=mean.heads, logits=None)
