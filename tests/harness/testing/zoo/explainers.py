"""Explainers that each break one law: all show the model's own map, but for one thing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional

from harness.contract.errors import MachineError
from harness.nn import Explainer
from tests.harness.testing.zoo.animal import Animal, animal


@contextmanager
def _in_eval_mode(model: Any) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training


class Honest(Explainer):
    name = "honest"

    def explain(self, model, batch, classes):
        try:
            with _in_eval_mode(model), torch.no_grad():
                return self.shown(self.maps(model, batch, classes), batch)
        except MachineError:
            raise
        except Exception as error:
            raise RuntimeError(f"{self.name!r} cannot explain this model: {error}") from error

    def maps(self, model, batch, classes):
        own = model(batch).saliency[torch.arange(len(classes)), list(classes)]
        return functional.interpolate(own[:, None], batch.images.shape[2:], mode="nearest")[:, 0]

    def shown(self, maps, batch):
        return maps


class Doubled(Honest):
    def shown(self, maps, batch):
        return 2 * maps


class Inverted(Honest):
    def shown(self, maps, batch):
        return 1 - maps


class LeavesTraining(Honest):
    def explain(self, model, batch, classes):
        maps = super().explain(model, batch, classes)
        model.train()
        return maps


class SetsToZero(Honest):
    def explain(self, model, batch, classes):
        maps = super().explain(model, batch, classes)
        with torch.no_grad():
            for weight in model.parameters():
                weight.zero_()
        return maps


class Silent(Honest):
    def explain(self, model, batch, classes):
        try:
            return super().explain(model, batch, classes)
        except Exception:
            return torch.zeros(len(classes), *batch.images.shape[2:])


class OverTheBatch(Honest):
    def shown(self, maps, batch):
        return maps / (2 * maps.sum()) * len(maps) ** 2


class Recording(Honest):
    def explain(self, model, batch, classes):
        batch.images.requires_grad_()
        return super().explain(model, batch, classes)


class Labelled(Honest):
    def shown(self, maps, batch):
        return maps * batch.labels[:, :1, None]


class OnlyInTrials(Honest):
    def maps(self, model, batch, classes):
        if type(model).__name__ not in ("Spots", "Failing"):
            raise MachineError("there is no machine for this")
        return super().maps(model, batch, classes)


def _is(law: str, made: type[Honest], *also: str, **declared: Any) -> Animal:
    def build() -> Explainer:
        explainer = made()
        explainer.name = law
        return explainer

    return animal(law, build, also, **declared)


ANIMALS = [
    _is("a_map_is_in_range_at_the_images_size", Doubled),
    _is("a_planted_spot_is_found", Inverted),
    _is("the_model_is_left_as_it_was", LeavesTraining),
    _is("a_failure_names_explainer_and_cause_and_leaves_the_model_as_it_was", Silent),
    _is("a_map_depends_on_its_own_image_and_class_only", OverTheBatch),
    _is("it_explains_where_gradients_are_off", Recording),
    _is("labels_and_groups_do_not_matter", Labelled),
    _is("it_changes_no_result", OnlyInTrials),
    _is("declared_failures_are_laws", Honest, xfail={"a_planted_spot_is_lost": "there is no such law"}),
]
HONEST = _is("honest", Honest)
ZEROING = _is("the_model_is_left_as_it_was", SetsToZero, "a_map_depends_on_its_own_image_and_class_only")
