"""Backbones that each break one law: all are two strided convolutions, but for one thing."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import nn

from harness.nn import Backbone
from tests.harness.testing.zoo.animal import Animal, animal

_numbers = itertools.count()


class Honest(Backbone):
    def __init__(self, channels):
        super().__init__()
        self.features, self.stride = 4, 4
        self.first, self.second = nn.Conv2d(channels, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)

    def forward(self, images):
        return self.second(self.first(images).relu())


class LyingStride(Honest):
    def __init__(self, channels):
        super().__init__(channels)
        self.stride = 8


class ByEight(Honest):
    def forward(self, images):
        if any(size % 8 for size in images.shape[2:]):
            raise ValueError("sides must be divisible by 8")
        return super().forward(images)


class Standardised(Honest):
    def forward(self, images):
        deviation, mean = torch.std_mean(images, dim=(1, 2, 3), keepdim=True)
        return super().forward((images - mean) / deviation)


class BatchCentred(Honest):
    def forward(self, images):
        return super().forward(images - images.mean(0))


class Idle(Honest):
    def __init__(self, channels):
        super().__init__(channels)
        self.idle = nn.Linear(2, 2)


class Detached(Honest):
    def forward(self, images):
        return super().forward(images.detach())


class Shifted(Honest):
    def __init__(self, channels):
        super().__init__(channels)
        self.shift = torch.rand(1)

    def forward(self, images):
        return super().forward(images + self.shift)


class Numbered(Honest):
    def __init__(self, channels):
        super().__init__(channels)
        self.number = nn.Parameter(torch.tensor(float(next(_numbers))))

    def forward(self, images):
        return super().forward(images) + 0 * self.number


class Reseeding(Honest):
    def forward(self, images):
        if self.training:
            torch.manual_seed(0)
        return super().forward(images)


def _builder(made: type[Backbone]) -> Any:
    def build(channels: int, /) -> Backbone:
        return made(channels)

    return build


def _is(law: str, made: type[Backbone], *also: str, **declared: Any) -> Animal:
    return animal(law, _builder(made), also, **declared)


ANIMALS = [
    _is(
        "maps_have_the_size_that_stride_and_features_promise",
        LyingStride,
        "odd_and_oblong_images_are_taken",
        "a_batch_of_one_is_a_slice_of_a_batch",
        "constant_images_give_finite_maps_and_are_left_as_they_are",
        "every_parameter_gets_a_gradient",
        "gradient_reaches_the_image",
        "nothing_is_reseeded",
        "weights_survive_a_state_dict",
    ),
    _is("odd_and_oblong_images_are_taken", ByEight),
    _is("constant_images_give_finite_maps_and_are_left_as_they_are", Standardised),
    _is("facts_are_true", Honest, facts=lambda **_: {"stride": 16}),
    _is("a_batch_of_one_is_a_slice_of_a_batch", BatchCentred),
    _is("every_parameter_gets_a_gradient", Idle),
    _is("gradient_reaches_the_image", Detached),
    _is("weights_survive_a_state_dict", Shifted),
    _is("one_seed_gives_one_network", Numbered),
    _is("nothing_is_reseeded", Reseeding),
    _is("declared_failures_are_laws", Honest, xfail={"facts_are_lies": "there is no such law"}),
]
HONEST = animal("honest", _builder(Honest), facts=lambda **_: {"stride": 4, "features": 4})
