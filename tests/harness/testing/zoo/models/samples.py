"""Architectures of bags and of exams that each break one law: all take the mean score of what is there."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from harness import Task
from harness.nn import Model, Output, masked_bce, outside_autocast
from tests.harness.testing.zoo.animal import Animal, animal


class Honest(Model):
    """Scores each instance by its mean square and mean, and averages the scores."""

    def __init__(self, task):
        super().__init__()
        self.multiclass = task.kind == "multiclass"
        self.features = nn.Linear(task.features or task.channels * task.image_size[0] * task.image_size[1], 12)
        self.head = nn.Linear(12, len(task.classes))

    def forward(self, batch):
        hidden = self.features(self.encoded(batch)).relu()
        weights = self.weigh(batch.mask[..., None].to(hidden.dtype))
        logits = outside_autocast(self.head, (hidden * weights).sum(1))
        probs = logits.softmax(1) if self.multiclass else logits.sigmoid()
        return Output(probs=probs, logits=logits, parts=self.parts(weights.float()))

    def encoded(self, batch):
        return batch.encoded(lambda images: images.flatten(1))

    def weigh(self, real):
        return real / real.sum(1, keepdim=True).clamp(min=1)

    def parts(self, weights):
        return {"attention": weights}

    def losses(self, out, batch):
        return {"bce": masked_bce(out.probs, batch.labels, weights=batch.weights)}


class NeedsTwo(Honest):
    def forward(self, batch):
        if batch.mask.shape[1] < 2:
            raise ValueError("a variance needs two instances")
        return super().forward(batch)


class OverSlots(Honest):
    def forward(self, batch):
        out = super().forward(batch)
        logits = out.logits * batch.mask.shape[1]
        probs = logits.softmax(1) if self.multiclass else logits.sigmoid()
        return Output(probs=probs, logits=logits, parts=out.parts)


class CountingSlots(Honest):
    def losses(self, out, batch):
        return {**super().losses(out, batch), "slots": out.probs.sum() * 0 + batch.mask.shape[1]}


class ByPosition(Honest):
    def weigh(self, real):
        shares = real / torch.arange(1, real.shape[1] + 1)[:, None]
        return shares / shares.sum(1, keepdim=True).clamp(min=1e-6)


class Doubled(Honest):
    def parts(self, weights):
        return {"attention": 2 * weights}


class NeedsTwoViews(Honest):
    def forward(self, batch):
        if (batch.mask.sum(1) < 2).any():
            raise ValueError("an exam has two views")
        return super().forward(batch)


class MaskBlind(Honest):
    def encoded(self, batch):
        return batch.images.flatten(2)

    def weigh(self, real):
        return torch.full_like(real, 1 / real.shape[1])


class NeverTheLast(Honest):
    def weigh(self, real):
        seen = torch.ones_like(real)
        seen[:, -1] = 0
        return super().weigh(real * seen)


def _is(law: str, needs: str, made: type[Model], *also: str, **declared: Any) -> Animal:
    def build(task: Task, /) -> Model:
        return made(task)

    return animal(law, build, also, **{"needs": frozenset({needs}), "provides": frozenset({"attention"}), **declared})


ANIMALS = [
    _is("one_instance_is_enough", "instances", NeedsTwo, "padding_does_not_matter"),
    _is("padding_does_not_matter", "instances", OverSlots, "padding_does_not_matter_to_losses"),
    _is("padding_does_not_matter_to_losses", "instances", CountingSlots),
    _is("order_of_instances_does_not_matter", "instances", ByPosition),
    _is("attention_is_a_distribution_over_the_real_instances", "instances", Doubled),
    _is("one_view_is_enough", "views", NeedsTwoViews),
    _is("pixels_of_a_missing_view_do_not_matter", "views", MaskBlind),
    _is("a_present_view_matters", "views", NeverTheLast),
]
HONEST = [_is("honest", kind, Honest) for kind in ("instances", "views")]
