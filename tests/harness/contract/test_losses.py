"""The losses that plugins share, beside torch's own."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch.nn import functional

from harness.nn import masked_bce, masked_cross_entropy


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


@pytest.mark.parametrize("link", ["logits", "probs"])
def test_binary_cross_entropy_is_that_of_torch_and_passes_over_unknown_labels(link: Literal["logits", "probs"]) -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    given = logits if link == "logits" else logits.sigmoid()
    labels = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 1, 0], [1, 0, 0]]).float()
    weights = torch.rand(5, 3, generator=torch.Generator().manual_seed(3)) + 0.5
    each = functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="none")
    torch.testing.assert_close(masked_bce(given, labels, link=link, weights=weights), each.sum() / 5)

    labels[1, 0] = labels[4, 2] = torch.nan
    rest = each.sum() - each[1, 0] - each[4, 2]
    torch.testing.assert_close(masked_bce(given, labels, link=link, weights=weights), rest / 5)


@pytest.mark.parametrize("link", ["logits", "probs"])
def test_a_model_that_diverged_has_a_loss_that_is_no_number(link: Literal["logits", "probs"]) -> None:
    assert masked_bce(torch.full((2, 1), torch.nan), torch.ones(2, 1), link=link).isnan()
