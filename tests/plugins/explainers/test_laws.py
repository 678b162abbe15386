"""The built-in explainers keep the laws of explainers."""

import pytest
import torch

import harness_explainers
from harness.contract.nn import Batch
from harness.testing import laws_for
from harness.testing.fakes import build_empty, build_tiny_cnn, squares_task
from harness_explainers.native.explainer import Native

test_laws = laws_for(harness_explainers)


def _batch() -> Batch:
    return Batch(images=torch.rand(2, 1, 16, 16), labels=torch.zeros(2, 2))


def test_each_image_gets_the_map_of_its_own_class():
    model, batch = build_tiny_cnn(squares_task()).eval(), _batch()
    saliency = model(batch).saliency
    maps = Native("native").explain(model, batch, [1, 0])
    assert torch.equal(maps[:, ::2, ::2], torch.stack([saliency[0, 1], saliency[1, 0]]))


def test_a_model_without_evidence_is_refused_by_name():
    with pytest.raises(TypeError, match="'native' cannot explain Empty: the model has no saliency map"):
        Native("native").explain(build_empty(squares_task()), _batch(), [0, 0])
