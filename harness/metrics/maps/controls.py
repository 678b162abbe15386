"""Control maps that do not depend on the image: the baseline of a localisation metric."""

from __future__ import annotations

import numpy as np

from harness.statistics.arrays import Array

WIDTH = 0.25
"""Standard deviation of the centre prior, as a fraction of the image's height and of its width."""


def centre_map(shape: tuple[int, int]) -> Array:
    """Return the centre prior: a Gaussian about the middle of the image, 1 at its peak, fixed in advance.

    exp(-((y - 1/2)^2 + (x - 1/2)^2) / (2 WIDTH^2)) with y and x the cells' centres as fractions of the sides.

    Source: the centre Gaussian baseline of Choe et al. 2020, CVPR; the width is our choice.
    """
    rows, columns = ((np.arange(cells) + 0.5) / cells - 0.5 for cells in shape)
    gaussian: Array = np.exp(-(rows[:, None] ** 2 + columns[None, :] ** 2) / (2 * WIDTH**2))
    return gaussian


def random_map(shape: tuple[int, ...], seed: int) -> Array:
    """Return a map of independent uniform draws in [0, 1)."""
    return np.random.default_rng(seed).random(shape)
