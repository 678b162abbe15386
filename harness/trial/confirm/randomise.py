"""Takes from a model what it has learned, layer by layer from the output on: a map that stays the same shows the image.

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
    """A copy in which the layers nearest to the output are initialised anew; the model stays as it is.

    Layers are the modules with parameters of their own, and their order is that in which the model
    registers them: from the image to the score in every architecture that is written as it runs.

    Args:
        model: in any mode; the copy has the same.
        share: of the layers, in (0, 1]; rounded up.
        seed: of the new weights; a larger share at the same seed draws the same ones and more.
    """
    made = copy.deepcopy(model)
    layers = [module for module in made.modules() if next(module.parameters(recurse=False), None) is not None]
    device = next((parameter.device for parameter in made.parameters()), torch.device("cpu"))
    with seeded(seed, device), torch.no_grad():
        for layer in layers[::-1][: math.ceil(share * len(layers))]:
            _forget(layer)
    return made


def _forget(layer: nn.Module) -> None:
    """As the layer itself begins, or with the mean and deviation that its weights have."""
    reset = getattr(layer, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in layer.parameters(recurse=False):
        deviation, mean = torch.std_mean(parameter.float(), correction=0)
        parameter.copy_(mean + deviation * torch.randn_like(parameter))
