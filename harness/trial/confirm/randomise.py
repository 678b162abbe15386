"""Randomisation of a model, layer by layer from the output on: a map that does not change shows only the image.

Source: Adebayo et al. 2018, NeurIPS, section 4.1 (cascading randomisation).
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from harness.contract.nn import Model
from harness.trial.model.rng import seeded


def randomised(model: Model, share: float, seed: int) -> Model:
    """Return a copy with new initial weights in the layers nearest to the output; the model stays unchanged.

    Layers are the modules with their own parameters, in the order in which the model registers them. This is
    the order from image to score if an architecture is written as it runs.

    Args:
        model: in any mode; the copy has the same.
        share: of the layers, in (0, 1]; rounded up.
        seed: of the new weights; a larger share at the same seed draws the same weights and more.
    """
    made = copy.deepcopy(model)
    layers = [module for module in made.modules() if next(module.parameters(recurse=False), None) is not None]
    device = next((parameter.device for parameter in made.parameters()), torch.device("cpu"))
    with seeded(seed, device), torch.no_grad():
        for layer in layers[::-1][: math.ceil(share * len(layers))]:
            _forget(layer)
    return made


def _forget(layer: nn.Module) -> None:
    """Reset a layer to its initialisation, or to random weights of the same mean and deviation."""
    reset = getattr(layer, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in layer.parameters(recurse=False):
        deviation, mean = torch.std_mean(parameter.float(), correction=0)
        parameter.copy_(mean + deviation * torch.randn_like(parameter))
