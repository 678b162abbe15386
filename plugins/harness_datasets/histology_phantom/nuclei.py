"""Nuclei of a histology tile: where they lie, what kinds there are, and how they are drawn. Only numpy.

Atypical and regular nuclei share shapes and grey value and differ in hue alone: a tile's grey values are the same
whichever of them lies crowded in a nest and whichever is scattered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness_datasets.shared.canvas import Ellipse

Kind = Literal["atypical", "regular", "spindle"]
CROWDED = 2.5  # spacing of nuclei in a nest, in mean radii
STREWN = 4.6  # spacing outside
SPREAD = 0.5  # of a nucleus's area about its mean
LOBES = 0.15  # height of an outline's harmonics over its radius


@dataclass(frozen=True)
class Nest:
    """An ellipse in which nuclei are close together.

    Args:
        region: its outline, in pixels.
        kind: of its nuclei.
        finding: whether it is what the label says.
    """

    region: Ellipse
    kind: Kind
    finding: bool

    def inside(self, points: np.ndarray, beyond: float = 0.0) -> np.ndarray:
        """Return which points "n 2" (x, y) lie inside, or no further out than `beyond` pixels."""
        x, y = (points - (self.region.x, self.region.y)).T
        c, s, stretch = np.cos(self.region.angle), np.sin(self.region.angle), np.sqrt(self.region.aspect)
        along, across = (c * x + s * y) / stretch, (c * y - s * x) * stretch
        return np.asarray(np.hypot(along, across) <= self.region.radius + beyond)


def lattice(rng: np.random.Generator, image_size: tuple[int, int], spacing: float) -> np.ndarray:
    """Return points "n 2" (x, y) all over the image and a little beyond, about `spacing` apart."""
    height, width = image_size
    rows, columns = int(height / (0.87 * spacing)) + 3, int(width / spacing) + 3
    row, column = (part.ravel() for part in np.mgrid[-1 : rows - 1, -1 : columns - 1].astype(float))
    shift = rng.uniform(0, 1, 2)
    points = np.stack((column + 0.5 * (row % 2) + shift[0], 0.87 * (row + shift[1])), 1)
    kept: np.ndarray = spacing * (points + rng.uniform(-0.2, 0.2, points.shape))
    return kept


def shape(rng: np.random.Generator, kind: Kind, point: np.ndarray, radius: float) -> Ellipse:
    """Return one nucleus; `radius` is that of the mean area, whatever the kind."""
    angle = float(rng.uniform(0, np.pi))
    if kind == "spindle":
        return Ellipse(point[0], point[1], radius * _grown(rng, 0.2), rng.uniform(2.2, 3.4), angle)
    lobes = tuple(LOBES * rng.uniform(-1, 1, 3))
    own = radius * _grown(rng, SPREAD) / np.sqrt(1 + sum(height**2 for height in lobes) / 2)
    return Ellipse(point[0], point[1], own, rng.uniform(1.0, 1.5), angle, lobes, float(rng.uniform(0, 2 * np.pi)))


def _grown(rng: np.random.Generator, spread: float) -> float:
    """Return a factor of the radius whose square has mean 1."""
    return float(np.sqrt(1 + spread * rng.uniform(-1, 1)))
