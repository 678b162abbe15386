"""Test-time augmentation: a score is the mean over changed copies of an image. Maps are of the unchanged image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from harness.contract.nn import Batch, Output
from harness.trial.data.loader import Loader
from harness.trial.model.load import mean_output


def over_copies(out: Output, batch: Batch, loader: Loader, run: Callable[[Batch], Output]) -> Output:
    """Return the output with scores and heads averaged over `train.tta` copies of each image; unchanged if that is 0.

    Args:
        out: of the unchanged images; its saliency and parts are kept, its logits removed.
        batch: the unchanged images.
        loader: of the batch; makes the copies, which depend on an image's id only.
        run: the model in eval mode, without gradients.
    """
    copies = [run(copy) for copy in loader.copies(batch.ids)] if loader.settings.tta else []
    if not copies:
        return out
    mean = mean_output([replace(copy, saliency=None) for copy in copies])
    return replace(out, probs=mean.probs, heads=mean.heads, logits=None)
