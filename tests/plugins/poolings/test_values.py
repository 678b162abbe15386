import math

import pytest
import torch

from harness import InputError
from harness.contract.errors import Problems
from harness_poolings import functional
from harness_poolings.rules import kept

COUNTS = {
    1380: (14, 28, 41, 69, 138, 276),
    1024: (10, 20, 31, 51, 102, 205),
    256: (3, 5, 8, 13, 26, 51),
    64: (1, 1, 2, 3, 6, 13),
    49: (1, 1, 1, 2, 5, 10),  # at least one: 49 x 1 % rounds to 0
    16: (1, 1, 1, 1, 2, 3),
}
FRACTIONS = (0.01, 0.02, 0.03, 0.05, 0.10, 0.20)


def values(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cells", COUNTS)
def test_the_papers_counts_of_cells(cells):
    assert tuple(kept(cells, fraction) for fraction in FRACTIONS) == COUNTS[cells]


def test_half_a_cell_is_rounded_to_even():
    assert [kept(count, 0.5) for count in (1, 3, 5, 7)] == [1, 2, 2, 4]


def test_the_whole_is_the_mean_and_one_cell_is_the_maximum():
    map_ = values(3, 40, 2)
    torch.testing.assert_close(functional.top_fraction(map_, 1.0)[0], map_.mean(1))
    assert torch.equal(functional.top_fraction(map_, 0.01)[0], map_.amax(1))
    assert torch.equal(functional.top_fraction(map_, None)[0], map_.amax(1))


def test_a_larger_fraction_never_raises_the_value():
    map_ = values(3, 40, 2)
    pooled = torch.stack([functional.top_fraction(map_, share)[0] for share in (0.01, 0.05, 0.1, 0.3, 0.7, 1.0)])
    assert (pooled.diff(dim=0) <= 1e-6).all()


def test_a_fraction_counts_the_unmasked_instances_of_each_sample():
    map_ = values(3, 50, 1)
    mask = torch.arange(50) < torch.tensor([[50], [11], [1]])
    pooled = functional.top_fraction(map_, 0.1, mask)[0]
    for sample, count in enumerate((50, 11, 1)):
        best = map_[sample, :count, 0].sort(descending=True).values[: kept(count, 0.1)]
        torch.testing.assert_close(pooled[sample, 0], best.mean())


def test_masked_and_unmasked_rounding_agree():
    for fraction in (0.03, 0.05, 0.1, 0.25, 0.5, 0.7):
        for count in range(1, 60):
            weights = functional.top_fraction(values(1, 60, 1), fraction, torch.arange(60)[None] < count)[1]
            assert int((weights > 0).sum()) == kept(count, fraction)


def test_weights_of_the_top_give_its_mean():
    map_ = values(3, 40, 2)
    pooled, weights = functional.top_fraction(map_, 0.1)
    torch.testing.assert_close((weights * map_).sum(1), pooled)


def test_log_sum_exp_lies_between_mean_and_maximum():
    map_ = values(3, 40, 2)
    torch.testing.assert_close(functional.log_sum_exp(map_, 1e-3), map_.mean(1), rtol=0, atol=1e-3)
    torch.testing.assert_close(functional.log_sum_exp(map_, 1e4), map_.amax(1), rtol=0, atol=1e-3)
    expected = (5 * map_).exp().mean(1).log() / 5
    torch.testing.assert_close(functional.log_sum_exp(map_, 5.0), expected)


def test_noisy_or_is_one_minus_the_product():
    map_ = 0.3 * values(3, 10, 2)
    torch.testing.assert_close(functional.noisy_or(map_), 1 - (1 - map_).prod(1))
    certain = torch.ones(1, 4, 1, requires_grad=True)
    functional.noisy_or(certain).sum().backward()
    assert certain.grad.isfinite().all()
    assert functional.noisy_or(torch.full((1, 4, 1), 1e-5)).item() == pytest.approx(4e-5, rel=1e-3)


@pytest.mark.parametrize("name", ["attention", "gated_attention"])
@pytest.mark.parametrize("bias", [False, True])
def test_attention_is_what_ilse_et_al_wrote(catalog, name, bias):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pooling = catalog.build("pooling", {"use": name, "dim": 3, "bias": bias}, 4, 1)
    bag = values(2, 5, 4)
    hidden = torch.tanh(pooling.value(bag))
    if name == "gated_attention":
        hidden = hidden * torch.sigmoid(pooling.gate(bag))
    scores = pooling.score(hidden)
    weights = scores.exp() / scores.exp().sum(1, keepdim=True)
    pooled = pooling(bag)
    torch.testing.assert_close(pooled.weights, weights)
    torch.testing.assert_close(pooled.value, (weights * bag).sum(1))
    assert any("bias" in key for key in pooling.state_dict()) == bias


def test_permuting_the_instances_permutes_the_attention(catalog):
    pooling = catalog.build("pooling", "gated_attention", 4, 1)
    bag, order = values(2, 5, 4), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(pooling(bag[:, order]).weights, pooling(bag).weights[:, order])


def test_attention_over_class_scores_has_one_weight_map_a_class(catalog):
    pooling = catalog.build("pooling", "attention", 6, 3)
    pooled = pooling(values(2, 5, 3), key=values(2, 5, 6))
    assert pooled.weights.shape == (2, 5, 3)
    assert pooled.value.shape == (2, 3)


def test_padding_may_hold_anything(catalog):
    mask = torch.tensor([[True, True, False]])
    bag = torch.tensor([[[0.2], [0.4], [math.nan]]])
    for name in catalog.names("pooling"):
        assert catalog.build("pooling", name, 1, 1)(bag, mask=mask).value.isfinite().all(), name


def test_facts_say_what_a_pooling_comes_to(catalog):
    def canonical(name, **params):
        made = catalog.factory("pooling", {"use": name, **params}, Problems(""), "pooling")
        return made.facts(192).get("canonical")

    assert canonical("mean") == canonical("uniform") == canonical("top_fraction", fraction=1.0)
    assert canonical("max") == canonical("top_fraction", fraction=0.005) == {"use": "top_fraction", "kept": 1}
    assert canonical("lse", sharpness=2.0) is None


@pytest.mark.parametrize(
    ("table", "law"),
    [
        ({"use": "top_fraction", "fraction": 0.0}, "0 < fraction <= 1"),
        ({"use": "top_fraction", "fraction": 1.01}, "0 < fraction <= 1"),
        ({"use": "lse", "sharpness": 0.0}, "sharpness > 0"),
        ({"use": "attention", "dim": 0}, "dim >= 1"),
    ],
)
def test_values_out_of_range_are_refused(catalog, table, law):
    with pytest.raises(InputError, match=law):
        catalog.build("pooling", table, 4, 1)


def test_squared_weights_are_the_squares_over_their_sum():
    scores = torch.tensor([[[0.9], [0.1], [0.3]]])
    weights = functional.squared_weights(scores)
    torch.testing.assert_close(weights.sum(1), torch.ones(1, 1))
    torch.testing.assert_close(weights[0, 0] / weights[0, 1], torch.tensor([81.0]))
    torch.testing.assert_close(weights, scores.square() / scores.square().sum(1, keepdim=True))
    torch.testing.assert_close(functional.squared_weights(scores * 1e-25), weights)  # squares alone would vanish
    assert functional.squared_weights(scores[:, :1]).item() == 1
    torch.testing.assert_close(functional.squared_weights(torch.full((1, 7, 1), 0.4)), torch.full((1, 7, 1), 1 / 7))


def test_squared_weights_of_zeros_are_equal_and_have_a_gradient():
    scores = torch.zeros(1, 4, 1, requires_grad=True)
    weights = functional.squared_weights(scores)
    torch.testing.assert_close(weights, torch.full((1, 4, 1), 0.25))
    weights[0, 0].backward()
    assert scores.grad.isfinite().all()
    assert functional.root_mean_square_weights(torch.zeros(1, 4, 1)).isfinite().all()


@pytest.mark.parametrize("rule", ["squared", "mean_square", "root_mean_square", "signed"])
def test_the_readings_of_the_squared_average(catalog, rule):
    pooling = catalog.build("pooling", {"use": "squared_attention", "dim": 3, "rule": rule}, 4, 1)
    instances, mask = values(2, 5, 4), torch.arange(5) < torch.tensor([[5], [3]])
    raw = pooling.score(torch.tanh(pooling.value(instances))).masked_fill(~mask[:, :, None], 0.0)
    scores = raw if rule == "signed" else raw.sigmoid().masked_fill(~mask[:, :, None], 0.0)
    squares, count = scores.square(), mask.sum(1).view(2, 1, 1)
    expected = {
        "squared": squares / squares.sum(1, keepdim=True),
        "mean_square": squares / (squares.sum(1, keepdim=True) / count),
        "root_mean_square": scores / (squares.sum(1, keepdim=True) / count).sqrt(),
        "signed": squares / squares.sum(1, keepdim=True),
    }[rule]
    torch.testing.assert_close(pooling(instances, mask=mask).weights, expected)


def test_a_softmax_of_bounded_scores_never_gives_more_than_e_to_one(catalog):
    pooling = catalog.build("pooling", {"use": "bounded_attention", "dim": 3}, 4, 1)
    weights = pooling(100 * torch.randn(1, 50, 4, generator=torch.Generator().manual_seed(0))).weights
    assert weights.max() / weights.min() <= math.e + 1e-4
