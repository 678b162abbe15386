"""Built-in explainers: what shows where a model looked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_native() -> Explainer:
    """The model's own evidence."""
    from harness_explainers.native import Native

    return Native()


@hookimpl
def harness_explainers() -> Iterable[Component[Explainer]]:
    """Explainers that need nothing but the model."""
    yield Component(
        name="native",
        build=build_native,
        summary="the model's own saliency maps, each cell drawn as a rectangle",
        source="Shen et al. 2020, Medical Image Analysis, 101908",
        needs=frozenset({"evidence"}),
        assumed={
            "upsampling": "nearest neighbour, as Dice reads the maps: no value is shown that the model did not give"
        },
    )
