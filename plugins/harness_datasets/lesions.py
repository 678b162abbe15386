"""The things in a phantom breast: lesions, and the stand-ins that a breast without one has in their place.

A stand-in covers about the same area at the same brightness and sharpness, so that nothing
global tells a lesion from it: only its shape does. Lengths are in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness_datasets.canvas import Ellipse, Shape, Stroke

Kind = Literal["benign", "malignant", "duct", "strands"]
MIN_HALF_WIDTH = 1.0  # no structure is narrower than 2 px
REACH = 2.2  # how far anything may stretch from its centre, in radii


@dataclass(frozen=True)
class Thing:
    """One thing in one view.

    Args:
        kind: benign and malignant are lesions; duct and strands stand in for them.
        x: centre in pixels.
        y: centre in pixels.
        radius: of the lesion, or of the lesion it stands in for, in pixels.
        contrast: brightness added at full coverage, in units of the image's range.
        seed: of its details.
    """

    kind: Kind
    x: float
    y: float
    radius: float
    contrast: float
    seed: int

    def shapes(self) -> list[Shape]:
        """What to draw."""
        rng = np.random.default_rng(self.seed)
        return {"benign": _benign, "malignant": _malignant, "duct": _duct, "strands": _strands}[self.kind](self, rng)


def _benign(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """A smooth oval with low lobes and a sharp rim."""
    lobes = tuple(float(height) for height in rng.uniform(-0.06, 0.06, 2))
    angle, phase = rng.uniform(0, np.pi, 2)
    return [Ellipse(thing.x, thing.y, thing.radius, rng.uniform(1, 1.35), angle, lobes, phase)]


def _malignant(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """A small rough core from which tapering spicules radiate."""
    count = int(rng.integers(9, 14))
    angles = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count + rng.uniform(0, 2 * np.pi)
    core = 0.45 * thing.radius
    shapes: list[Shape] = [_core(thing, rng, core)]
    for angle, length in zip(angles, _lengths(thing, rng, count), strict=True):
        dx, dy = np.cos(angle), np.sin(angle)
        near, far = 0.5 * core, core + length
        start = (thing.x + near * dx, thing.y + near * dy)
        shapes.append(_spicule(*start, thing.x + far * dx, thing.y + far * dy, thing.radius))
    return shapes


def _duct(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """The area of a benign lesion, drawn out into a bent band."""
    half = max(MIN_HALF_WIDTH, 0.42 * thing.radius)
    length = np.pi * (thing.radius**2 - half**2) / (2 * half)
    return _band(thing.x, thing.y, length, half, rng)


def _strands(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """The spicules of a malignant lesion, lying about instead of radiating, and its core drawn out."""
    count = int(rng.integers(9, 14))
    core = 0.45 * thing.radius
    half = max(MIN_HALF_WIDTH, 0.4 * core)
    shapes = _band(thing.x, thing.y, max(np.pi * (core**2 - half**2) / (2 * half), half), half, rng)
    main = rng.uniform(0, np.pi)
    for length in _lengths(thing, rng, count):
        angle = main + rng.normal(0, 0.35)
        radius, turn = 1.7 * thing.radius * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        x, y = thing.x + radius * np.cos(turn), thing.y + radius * np.sin(turn)
        dx, dy = np.cos(angle) * length / 2, np.sin(angle) * length / 2
        shapes.append(_spicule(x - dx, y - dy, x + dx, y + dy, thing.radius))
    return shapes


def _core(thing: Thing, rng: np.random.Generator, radius: float) -> Ellipse:
    lobes = tuple(float(height) for height in rng.uniform(-0.15, 0.15, 4))
    return Ellipse(thing.x, thing.y, radius, rng.uniform(1, 1.3), rng.uniform(0, np.pi), lobes, rng.uniform(0, 6))


def _lengths(thing: Thing, rng: np.random.Generator, count: int) -> np.ndarray:
    return thing.radius * rng.uniform(0.6, 1.3, count)


def _spicule(x0: float, y0: float, x1: float, y1: float, radius: float) -> Stroke:
    return Stroke(x0, y0, x1, y1, max(MIN_HALF_WIDTH, 0.16 * radius), max(0.6 * MIN_HALF_WIDTH, 0.05 * radius))


def _band(x: float, y: float, length: float, half: float, rng: np.random.Generator, pieces: int = 4) -> list[Shape]:
    """A bent band of this length about (x, y)."""
    angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6) * rng.choice([-1, 1])
    turns = angle + bend * np.linspace(-1, 1, pieces)
    steps = length / pieces * np.stack([np.cos(turns), np.sin(turns)], 1)
    corners = np.concatenate([np.zeros((1, 2)), steps.cumsum(0)])
    corners += np.array([x, y]) - corners.mean(0)
    return [Stroke(*corners[i], *corners[i + 1], half, half) for i in range(pieces)]
