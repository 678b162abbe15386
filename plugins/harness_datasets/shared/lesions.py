"""The things in a phantom breast: compact ones, which are lesions where they are bright, and scattered ones.

Every compact thing has a scattered partner of the same area and the opposite sign. A breast with
a finding holds the compact one bright and its partner dark, a breast without it the reverse: by
histogram and by spectrum the two are alike; only the form at the place separates them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness_datasets.shared.canvas import Ellipse, Shape, Stroke

Form = Literal["oval", "star", "duct", "strands"]
MIN_HALF_WIDTH = 1.0  # no structure is narrower than 2 px
THIN = 0.16  # half-width of a spicule, a duct or a strand over the radius
CORE = 0.55  # radius of a star's core over the radius
SPICULES = 9, 14
BANDS = 4
LENGTHS = 0.5, 1.1  # of spicules, beyond the core, over the radius
RIM = 0.59  # width of a compact thing's soft rim over its radius: gives its ink the histogram of a thin thing's
LONGER, SHORTER = 1.05, 0.97  # of ducts and strands: measured, makes partners cover one area inside a breast
REACH = 1.6  # how far a thing stretches from its centre, in radii


@dataclass(frozen=True)
class Thing:
    """One thing in one view.

    Args:
        form: oval (smooth rim) and star (spiculated) are compact, duct and strands their scattered partners.
        x: centre in pixels.
        y: centre in pixels.
        radius: of the compact one of a pair, in pixels.
        contrast: what is added at full coverage, in units of the image's range; negative is dark.
        seed: of its details.
        finding: the class it is a lesion of, or "".
    """

    form: Form
    x: float
    y: float
    radius: float
    contrast: float
    seed: int
    finding: str = ""

    def shapes(self) -> list[Shape]:
        """Return the shapes to draw."""
        return _FORMS[self.form](self, np.random.default_rng(self.seed))


def thin(radius: float) -> float:
    """Return half the width of thin structures, in pixels, near a lesion of this radius."""
    return max(MIN_HALF_WIDTH, THIN * radius)


def band(
    x: float, y: float, length: float, half: float, rng: np.random.Generator, strength: float = 1.0, pieces: int = 4
) -> list[Shape]:
    """Return a bent band about (x, y), `length` long and twice `half` wide, in pixels."""
    angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6) * rng.choice([-1, 1])
    turns = angle + bend * np.linspace(-1, 1, pieces)
    steps = length / pieces * np.stack([np.cos(turns), np.sin(turns)], 1)
    corners = np.concatenate([np.zeros((1, 2)), steps.cumsum(0)])
    corners += np.array([x, y]) - corners.mean(0)
    return [
        Stroke(x0, y0, x1, y1, half, half, half, strength)
        for (x0, y0), (x1, y1) in zip(corners[:-1], corners[1:], strict=True)
    ]


def _oval(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """Return a smooth oval with low lobes."""
    lobes = tuple(float(height) for height in rng.uniform(-0.06, 0.06, 2))
    angle, phase = rng.uniform(0, np.pi, 2)
    return [Ellipse(thing.x, thing.y, thing.radius, rng.uniform(1, 1.35), angle, lobes, phase, RIM * thing.radius)]


def _star(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """Return a rough core with tapering spicules."""
    core, count = CORE * thing.radius, int(rng.integers(*SPICULES))
    lobes = tuple(float(height) for height in rng.uniform(-0.15, 0.15, 4))
    angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
    shapes: list[Shape] = [Ellipse(thing.x, thing.y, core, rng.uniform(1, 1.3), angle, lobes, phase, RIM * core)]
    turns = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count + rng.uniform(0, 2 * np.pi)
    for turn, length in zip(turns, rng.uniform(*LENGTHS, count) * thing.radius, strict=True):
        ends = np.array([[np.cos(turn)], [np.sin(turn)]]) * np.array([0.5 * core, core + length])
        shapes.append(_spicule(ends + np.array([[thing.x], [thing.y]]), thing.radius))
    return shapes


def _duct(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """Return thin bent bands with the area of an oval."""
    half, shapes = thin(thing.radius), []
    for share in rng.dirichlet([8.0] * BANDS):
        x, y = _nearby(thing, rng)
        shapes += band(x, y, float(share) * LONGER * np.pi * thing.radius**2 / (2 * half), half, rng)
    return shapes


def _strands(thing: Thing, rng: np.random.Generator) -> list[Shape]:
    """Return the spicules of a star side by side, and its core as a thin band."""
    core, half, count = CORE * thing.radius, thin(thing.radius), int(rng.integers(*SPICULES))
    shapes = band(*_nearby(thing, rng), np.pi * core**2 / (2 * half), half, rng)
    main = rng.uniform(0, np.pi)
    for length in rng.uniform(*LENGTHS, count) * SHORTER * thing.radius:
        turn = main + rng.normal(0, 0.35)
        half_way = np.array([[np.cos(turn)], [np.sin(turn)]]) * length / 2
        centre = np.array(_nearby(thing, rng))[:, None]
        shapes.append(_spicule(centre + half_way * np.array([-1, 1]), thing.radius))
    return shapes


def _nearby(thing: Thing, rng: np.random.Generator) -> tuple[float, float]:
    distance, turn = REACH * thing.radius * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return thing.x + distance * np.cos(turn), thing.y + distance * np.sin(turn)


def _spicule(ends: np.ndarray, radius: float) -> Stroke:
    """Return a tapering stroke from the first column of `ends` ("xy end", in pixels) to the second."""
    half = thin(radius)
    return Stroke(ends[0, 0], ends[1, 0], ends[0, 1], ends[1, 1], half, 0.6 * half, half)


_FORMS: Mapping[Form, Callable[[Thing, np.random.Generator], list[Shape]]] = {
    "oval": _oval,
    "star": _star,
    "duct": _duct,
    "strands": _strands,
}
