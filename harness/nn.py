"""The torch side of a plugin author's vocabulary; importing it imports torch."""

from harness.contract.grids import Grid, place
from harness.contract.nn import (
    Backbone,
    Batch,
    Explainer,
    Model,
    Output,
    Phase,
    Pooled,
    Pooling,
    Targets,
    masked_bce,
    masked_cross_entropy,
    outside_autocast,
)
from harness.contract.seeds import generator

__all__ = [
    "Backbone",
    "Batch",
    "Explainer",
    "Grid",
    "Model",
    "Output",
    "Phase",
    "Pooled",
    "Pooling",
    "Targets",
    "generator",
    "masked_bce",
    "masked_cross_entropy",
    "outside_autocast",
    "place",
]
