"""The systems over bags: what the papers promise, and what a small or padded bag must not break."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

import harness_architectures
from harness.contract.loading.catalog import Catalog
from harness.contract.types import Task
from harness.testing import bag_batch, laws_for
from harness_architectures.mil.clam.model import ends, two_way
from harness_architectures.mil.transmil.model import squared
from harness_architectures.mil.transmil.nystrom import NystromAttention, nystrom, pseudo_inverse, segment_means

TABLE = Task(classes=("a", "b"), sample="features", features=12)
BAG = Task(classes=("a", "b"), sample="bag", image_size=(28, 28))


class Branches:
    """CLAM with a branch a class, which its smallest configuration has not."""

    def harness_architectures(self):
        (clam,) = (item for item in harness_architectures.harness_architectures() if item.name == "clam")
        return [replace(clam, tiny={**clam.tiny, "branches": "multiple"})]


test_laws_of_branches = laws_for(Branches(), task=Task(classes=("benign", "malignant"), image_size=(28, 28)))


@pytest.fixture(scope="module")
def catalog():
    return Catalog.discover()


def _build(catalog, task, name, **params):
    torch.manual_seed(0)
    return catalog.build("architecture", {"use": name, **params}, task)


def _parameters(module):
    return sum(value.numel() for value in module.parameters())


def test_the_encoder_and_attention_are_those_of_ilse(catalog):
    model = _build(catalog, Task(classes=("nine",), sample="bag", image_size=(28, 28)), "attention_mil")
    convolutions = (25 + 1) * 20 + (20 * 25 + 1) * 50
    assert _parameters(model.instances) == convolutions + (800 + 1) * 500
    assert _parameters(model.pooling) == (500 + 1) * 128 + 128 + 1
    assert _parameters(model.classifier) == 500 + 1


@pytest.mark.parametrize("pooling", ["mean", "max", "gated_attention", "top_fraction", "lse"])
def test_poolings_can_be_swapped(catalog, pooling):
    model = _build(catalog, TABLE, "attention_mil", dim=8, pooling={"use": pooling})
    assert model(bag_batch(TABLE, torch.zeros(3, 2))).probs.shape == (3, 2)


def test_a_pooling_of_probabilities_is_refused(catalog):
    with pytest.raises(Exception, match="'noisy_or' pools probabilities only"):
        _build(catalog, TABLE, "attention_mil", pooling={"use": "noisy_or"})


def test_an_encoder_of_any_backbone_sees_no_padding(catalog):
    model = _build(catalog, BAG, "attention_mil", dim=8, backbone={"use": "resnet22", "stride": 8, "width": 2})
    seen = []
    model.instances.encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    batch = bag_batch(BAG, torch.zeros(3, 2))
    model(batch)
    assert seen == [int(batch.mask.sum())]


def test_images_too_small_for_the_encoder_are_refused(catalog):
    with pytest.raises(Exception, match="needs images of 16 x 16 px, these have 12 x 12"):
        _build(catalog, Task(classes=("a",), sample="bag", image_size=(12, 12)), "dsmil")


@pytest.mark.parametrize(("instances", "top", "bottom"), [(1, 1, 0), (2, 1, 1), (5, 2, 2), (16, 8, 8), (30, 8, 8)])
def test_the_ends_of_a_bag_never_overlap(instances, top, bottom):
    attention = torch.linspace(0, 1, instances)[torch.randperm(instances, generator=torch.Generator().manual_seed(0))]
    mask = torch.ones(1, instances, dtype=torch.bool)
    highest, lowest = (found[0, 0].nonzero()[:, 0] for found in ends(attention[None, None], mask, 8))
    assert (len(highest), len(lowest)) == (top, bottom)
    assert not set(highest.tolist()) & set(lowest.tolist())
    if bottom:
        assert attention[highest].min() >= attention[lowest].max()


def smooth_svm(scores, labels, margin=1.0):
    """Berrada et al. 2018, equation 8 at k = 1 and temperature 1, of any number of classes."""
    own = scores.gather(1, labels[:, None])
    margins = margin * (1 - functional.one_hot(labels, scores.shape[1]))
    return (scores - own + margins).logsumexp(1)


def test_the_smooth_svm_of_two_classes_wants_a_lead_and_without_the_margin_is_cross_entropy():
    scores, labels = torch.randn(6, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1, 1, 0])
    lead = scores.gather(1, labels[:, None])[:, 0] - scores.gather(1, 1 - labels[:, None])[:, 0]
    torch.testing.assert_close(two_way(lead, "svm"), smooth_svm(scores, labels))
    torch.testing.assert_close(two_way(lead, "ce"), functional.cross_entropy(scores, labels, reduction="none"))
    assert two_way(torch.tensor(0.0), "svm") == pytest.approx(math.log(1 + math.e))


@pytest.mark.parametrize("branches", ["single", "multiple"])
@pytest.mark.parametrize("subtyping", [False, True])
def test_clam_clusters_all_bags_at_once_as_it_would_one_by_one(catalog, branches, subtyping):
    model = _build(catalog, TABLE, "clam", dim=8, attention_dim=4, dropout=0.0, branches=branches, subtyping=subtyping,
                   clustered=2, bag_weight=0.0)  # fmt: skip
    batch = bag_batch(TABLE, torch.tensor([[1.0, 0.0], [0.0, 1.0], [torch.nan, 1.0], [0.0, 0.0]]), longest=7)
    out, losses = model(batch), []
    for row, label in enumerate(batch.labels):
        here = batch.mask[row].nonzero()[:, 0]
        for k, cluster in enumerate(model.clusters):
            if not (label[k] == 1 or (subtyping and label[k] == 0)):
                continue
            order = out.parts["attention"][row, here, k if branches == "multiple" else 0].argsort(descending=True)
            low = min(2, len(order) // 2)
            highest, lowest = order[: max(1, low)], order[len(order) - low :]
            chosen = torch.cat([highest, lowest]) if label[k] == 1 else highest
            pseudo = torch.zeros(len(chosen), dtype=torch.long)
            pseudo[: len(highest)] = int(label[k])
            losses.append(smooth_svm(cluster(out.parts["vectors"][row, here[chosen]]), pseudo).mean())
    torch.testing.assert_close(model.losses(out, batch)["clustering"], torch.stack(losses).mean())


def test_dsmil_judges_its_vectors_by_one_convolution_over_all_of_them(catalog):
    model = _build(catalog, TABLE, "dsmil", query_dim=4).eval()
    batch = bag_batch(TABLE, torch.eye(2))
    out = model(batch)
    bags = torch.einsum("bnk,bnd->bkd", out.parts["attention"], batch.features)
    torch.testing.assert_close(out.parts["bag_logits"], model.classifier(bags)[..., 0])


@pytest.mark.parametrize("branches", ["single", "multiple"])
def test_clam_clusters_only_classes_that_are_there_unless_told_otherwise(catalog, branches):
    empty = bag_batch(TABLE, torch.zeros(2, 2))
    for subtyping in (False, True):
        model = _build(catalog, TABLE, "clam", dim=8, attention_dim=4, branches=branches, subtyping=subtyping).eval()
        found = model.losses(model(empty), empty)["clustering"]
        assert (found > 0) == subtyping
    full = bag_batch(TABLE, torch.ones(2, 2))
    assert model.losses(model(full), full)["clustering"] > 0
    assert model(full).parts["attention"].shape[2] == (1 if branches == "single" else 2)


def test_clam_weighs_its_losses_seven_to_three(catalog):
    batch = bag_batch(TABLE, torch.eye(2))
    parts = [
        _build(catalog, TABLE, "clam", dim=8, attention_dim=4, dropout=0.0, bag_weight=weight) for weight in (0.7, 0.5)
    ]
    first, second = (model.losses(model(batch), batch) for model in parts)
    torch.testing.assert_close(first["bag"] / 0.7, second["bag"] / 0.5)
    torch.testing.assert_close(first["clustering"] / 0.3, second["clustering"] / 0.5)


def test_dsmil_weighs_instances_by_their_likeness_to_the_critical_one(catalog):
    model = _build(catalog, TABLE, "dsmil", query_dim=4).eval()
    batch = bag_batch(TABLE, torch.eye(2))
    with torch.no_grad():
        out = model(batch)
        for row, vectors in enumerate(batch.features):
            own = vectors[batch.mask[row]]
            scores, queries = model.score(own), model.query(own)
            for k in range(2):
                likeness = queries @ queries[scores[:, k].argmax()] / math.sqrt(4)
                torch.testing.assert_close(out.parts["attention"][row, : len(own), k], likeness.softmax(0))
            torch.testing.assert_close(out.parts["max_logits"][row], scores.amax(0))
    torch.testing.assert_close(out.logits, (out.parts["bag_logits"] + out.parts["max_logits"]) / 2)


def _tokens(heads, count, width, seed=0):
    return torch.randn(heads, count, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("landmarks", [9, 64])
def test_nystrom_with_a_landmark_a_token_is_softmax_attention(landmarks):
    query, key, value = (_tokens(2, 9, 4, seed) for seed in range(3))
    exact = functional.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(nystrom(query, key, value, landmarks, 30), exact, atol=1e-3, rtol=1e-3)


def test_nystrom_comes_nearer_with_more_landmarks():
    turn = 2 * math.pi * torch.linspace(0, 1, 64)
    smooth = 2 * torch.stack([turn.sin(), turn.cos(), (2 * turn).sin(), (2 * turn).cos()], 1)[None]
    exact = functional.scaled_dot_product_attention(smooth, smooth, smooth)
    few, many = (float((nystrom(smooth, smooth, smooth, m, 20) - exact).abs().mean()) for m in (2, 16))
    assert few > 5 * many


def test_the_pseudo_inverse_is_that_of_linear_algebra():
    matrices = _tokens(3, 6, 6).softmax(2)
    torch.testing.assert_close(pseudo_inverse(matrices, 30), torch.linalg.pinv(matrices), atol=1e-2, rtol=1e-2)


def test_segments_are_even_and_in_order():
    tokens = torch.arange(10.0).view(1, 10, 1)
    assert segment_means(tokens, 5).flatten().tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert segment_means(tokens, 3).flatten().tolist() == [1.5, 5.0, 8.0]
    assert segment_means(tokens, 99).flatten().tolist() == list(range(10))


@pytest.mark.parametrize(("count", "filled"), [(1, 1), (2, 4), (4, 4), (5, 9), (10, 16)])
def test_a_list_is_filled_up_to_a_square_with_its_first_members(count, filled):
    found = squared(torch.arange(float(count))[:, None]).flatten().tolist()
    assert len(found) == filled and found[:count] == list(range(count))
    assert found[count:] == list(range(filled - count))


def test_transmil_sees_the_order_and_says_so(catalog):
    component = catalog.get("architecture", "transmil")
    assert "order_of_instances_does_not_matter" in component.xfail


def _bce(logits, labels):
    return functional.binary_cross_entropy_with_logits(logits, labels)


def test_the_loss_of_dsmil_is_half_of_each_streams_mean_over_classes(catalog):
    batch = bag_batch(TABLE, torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    model = _build(catalog, TABLE, "dsmil", query_dim=4)
    out = model(batch)
    for name, loss in model.losses(out, batch).items():
        torch.testing.assert_close(loss, _bce(out.parts[f"{name}_logits"], batch.labels) / 2)


def test_the_released_score_of_dsmil_is_the_bags_and_its_weights_start_orthogonal(catalog):
    model = _build(catalog, TABLE, "dsmil", query_dim=4, score="bag", initialisation="orthogonal").eval()
    out = model(bag_batch(TABLE, torch.eye(2)))
    torch.testing.assert_close(out.probs, out.parts["bag_logits"].sigmoid())
    weight = model.query[0].weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(4))
    assert not model.score.bias.any() and not model.classifier.bias.any()


def test_clams_bag_loss_does_not_grow_with_the_number_of_classes(catalog):
    four = replace(TABLE, classes=("a", "b", "c", "d"))
    batch = bag_batch(four, torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]]))
    model = _build(catalog, four, "clam", dim=8, attention_dim=4, dropout=0.0)
    out = model(batch)
    torch.testing.assert_close(model.losses(out, batch)["bag"], 0.7 * _bce(out.logits, batch.labels))


def test_the_released_padding_of_transmil_takes_attention():
    torch.manual_seed(0)
    layer, tokens = NystromAttention(8, 2, 256, 30, 0.0, 0, padded=True).eval(), torch.randn(17, 8)
    with torch.no_grad():
        query, key, value = layer.project(tokens).view(17, 3, 2, 4).permute(1, 2, 0, 3)
        exact = (query @ key.transpose(1, 2) / 2).exp()
        exact = exact / (exact.sum(2, keepdim=True) + 239)  # a zero key adds exp(0) = 1
        expected = layer.out((exact @ value).transpose(0, 1).reshape(17, 8))
        torch.testing.assert_close(layer(tokens), expected, atol=2e-3, rtol=2e-2)


def test_the_released_pseudo_inverse_is_scaled_by_the_largest_norms_of_all_heads():
    matrices = torch.stack([torch.eye(3), 4 * torch.eye(3)])
    found = pseudo_inverse(matrices, 0, alike=True)
    torch.testing.assert_close(found, matrices / 16)
    torch.testing.assert_close(pseudo_inverse(matrices, 0), torch.stack([torch.eye(3), torch.eye(3) / 4]))
