"""The losses that plugins share, beside torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from harness.nn import masked_cross_entropy


def test_cross_entropy_is_that_of_torch_and_passes_over_unknown_labels() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    classes = torch.tensor([0, 2, 1, 1, 0])
    labels = functional.one_hot(classes, 3).float()
    assert masked_cross_entropy(logits, labels).item() == pytest.approx(
        functional.cross_entropy(logits, classes).item()
    )

    labels[1, 0] = torch.nan
    rest = functional.cross_entropy(logits[[0, 2, 3, 4]], classes[[0, 2, 3, 4]], reduction="sum") / 5
    assert masked_cross_entropy(logits, labels).item() == pytest.approx(rest.item())


def test_the_weight_of_an_image_is_that_of_its_class() -> None:
    logits, classes = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 1])
    weights = torch.tensor([0.5, 1.0, 2.0])
    weighted = masked_cross_entropy(logits, functional.one_hot(classes, 3).float(), weights=weights.expand(4, 3))
    expected = functional.cross_entropy(logits, classes, weight=weights, reduction="sum") / 4
    assert weighted.item() == pytest.approx(expected.item())
