"""Maps that know nothing of the image: what a localisation metric gives for free."""

from __future__ import annotations

import numpy as np

from harness.statistics.arrays import Array

WIDTH = 0.25
"""Standard deviation of the centre prior over the image's height, and its width."""


def centre_map(shape: tuple[int, int]) -> Array:
    """The centre prior: a Gaussian about the middle, 1 at its peak, fixed before any image was seen.

    exp(-((y - 1/2)^2 + (x - 1/2)^2) / (2 WIDTH^2)) with y and x the cells' centres over the sides.

    Args:
        shape: rows and columns of the map.

    Source: the centre Gaussian that Choe et al. 2020, CVPR, compare methods with; the width is our choice.
    """
    rows, columns = ((np.arange(cells) + 0.5) / cells - 0.5 for cells in shape)
    gaussian: Array = np.exp(-(rows[:, None] ** 2 + columns[None, :] ** 2) / (2 * WIDTH**2))
    return gaussian


def random_map(shape: tuple[int, ...], seed: int) -> Array:
    """Independent uniform draws in [0, 1): a map without anything to see in it."""
    return np.random.default_rng(seed).random(shape)
