"""Pictures that a confirmed model leaves: reduced to a picture's size, patches along with them."""

from __future__ import annotations

import numpy as np
import torch

from harness.contract.nn import Output
from harness.trial.confirm.overlays import _patches, reduced


def test_a_large_image_is_averaged_and_its_rest_at_the_border_counts_as_one() -> None:
    image = np.zeros((1, 5, 4), np.uint8)
    image[0, :2, :2] = [[0, 40], [80, 120]]
    image[0, 4, :2] = 100
    small = reduced(image, 2)
    assert small.shape == (1, 3, 2) and small[0, 0, 0] == 60 and small[0, 2, 0] == 100
    assert reduced(image, 1) is image
    assert reduced(np.zeros((2, 6, 6, 3), np.uint8), 3).shape == (2, 2, 2, 3)


def test_patches_are_taken_where_their_shapes_go_together() -> None:
    def out(**parts: torch.Tensor) -> Output:
        return Output(probs=torch.zeros(2, 1), parts=parts)

    boxes, weights = torch.zeros(2, 3, 4), torch.full((2, 3), 1 / 3)
    assert [item is not None for item in _patches(out(boxes=boxes, attention=weights), 2)] == [True, True]
    assert [item is not None for item in _patches(out(boxes=boxes), 2)] == [True, False]
    assert [item is not None for item in _patches(out(boxes=boxes, attention=weights[:, :2]), 2)] == [True, False]
    assert _patches(out(boxes=boxes[:, :, :2]), 2) == (None, None)
    assert _patches(out(attention=weights), 2) == (None, None)
