"""Poolings that each break one law: all are a mean over real instances, but for one thing."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn

from harness.nn import Pooled, Pooling
from tests.harness.testing.zoo.animal import Animal, animal

_numbers = itertools.count()


class Honest(Pooling):
    def forward(self, x, key=None, mask=None):
        real = torch.ones_like(x[..., :1]) if mask is None else mask[..., None].to(x)
        weights = self.weigh(real)
        return Pooled(self.pool(x.masked_fill(real == 0, 0.0), weights), weights)

    def weigh(self, real):
        return real / real.sum(1, keepdim=True).clamp(min=1)

    def pool(self, x, weights):
        return (x * weights).sum(1)


class ByPosition(Honest):
    def weigh(self, real):
        shares = real / torch.arange(1, real.shape[1] + 1)[:, None]
        return shares / shares.sum(1, keepdim=True).clamp(min=1e-6)


class MaskBlind(Honest):
    def forward(self, x, key=None, mask=None):
        return Pooled(x.mean(1))


class Halved(Honest):
    def pool(self, x, weights):
        return super().pool(x, weights) / 2


class Writing(Honest):
    def forward(self, x, key=None, mask=None):
        x.detach().clamp_(max=0.9)
        return super().forward(x, key, mask)


class Unweighted(Honest):
    def forward(self, x, key=None, mask=None):
        pooled = super().forward(x, key, mask)
        return Pooled(pooled.value, pooled.weights * 2)


class Highest(Honest):
    def pool(self, x, weights):
        return x.masked_fill(weights == 0, -1e4).amax(1)


class OfTheKey(Honest):
    def forward(self, x, key=None, mask=None):
        return super().forward(x if key is None else key, None, mask)


class Numbered(Honest):
    def __init__(self):
        super().__init__()
        self.number = nn.Parameter(torch.tensor(float(next(_numbers))))


class Drawing(Honest):
    def forward(self, x, key=None, mask=None):
        torch.rand(1)
        return super().forward(x, key, mask)


class Reseeding(Honest):
    def forward(self, x, key=None, mask=None):
        if self.training:
            torch.manual_seed(0)
        return super().forward(x, key, mask)


class Root(Honest):
    def pool(self, x, weights):
        return (x.sqrt() * weights).sum(1).square()


class Divided(Honest):
    def weigh(self, real):
        return real / real.sum(1, keepdim=True)


class Product(Honest):
    def pool(self, x, weights):
        return x.sum(1).exp().log() / (weights > 0).sum(1).clamp(min=1)


class Nameless(Honest):
    def __init__(self):
        super().__init__()
        self.rule = lambda x: x


class Keeping(Honest):
    def forward(self, x, key=None, mask=None):
        self.last = x
        return super().forward(x, key, mask)


class Asking(Honest):
    def forward(self, x, key=None, mask=None):
        assert x.sum().item() != 1e9
        return super().forward(x, key, mask)


def _builder(made: type[Pooling]) -> Any:
    def build(features: int, outputs: int, /) -> Pooling:
        return made()

    return build


def _is(law: str, made: type[Pooling], *also: str, **declared: Any) -> Animal:
    return animal(law, _builder(made), also, **declared)


ANIMALS = [
    _is("order_does_not_matter", ByPosition),
    _is("masked_instances_do_not_matter", MaskBlind),
    _is("a_single_instance_is_given_back", Halved),
    _is("equal_instances_give_finite_values_and_are_left_as_they_are", Writing),
    _is("weights_are_a_distribution", Unweighted),
    _is("gradient_reaches_every_instance", Highest),
    _is("class_scores_are_pooled_by_their_features", OfTheKey),
    _is("one_seed_gives_one_pooling", Numbered),
    _is("eval_draws_no_random_number", Drawing),
    _is("nothing_is_reseeded", Reseeding),
    _is("negative_values_stay_finite", Root),
    _is("an_empty_bag_stays_finite", Divided),
    _is("many_instances_stay_finite", Product),
    _is("it_can_be_pickled", Nameless),
    _is("no_input_is_kept", Keeping),
    _is("it_runs_without_values", Asking),
    _is("it_equals_what_it_declares", Honest, equals={"max": {}}),
    _is("declared_failures_are_laws", Honest, xfail={"order_does_not_mater": "a slip of the pen"}),
]
HONEST = animal("honest", _builder(Honest), equals={"mean": {}})
