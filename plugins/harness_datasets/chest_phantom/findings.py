"""The findings of a chest phantom, and their counterparts.

Every finding is compact and bright; its counterpart is scattered, covers the same area and is dark. An image with
the finding holds the two so, an image without it both with their signs exchanged: by histogram and by spectrum the
two are alike, and only the form at the place separates them. Lengths are shares of the image's shorter side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness_datasets.shared.canvas import Ellipse, Shape
from harness_datasets.shared.lesions import RIM, Form, Thing, band

CLASSES = ("nodule", "mass", "effusion", "infiltration")
PREVALENCE = {"nodule": 0.25, "mass": 0.2, "effusion": 0.3, "infiltration": 0.3}
RADII = {
    "nodule": (0.034, 0.044),
    "mass": (0.058, 0.072),
    "effusion": (0.05, 0.062),
    "infiltration": (0.075, 0.09),
}
"""At difficulty 1/2: of an oval, a star, a flat oval; of the disc that blobs lie in."""
ZONES = {
    "nodule": ((0.45, 0.6), -90.0),
    "effusion": ((0.46, 0.6), 90.0),
    "infiltration": ((0.2, 0.35), 60.0),
}
"""Where: from and to over a lung's semi-axes, and the direction in degrees: 0 is lateral, 90 the base."""
REACH = {"nodule": 1.5, "mass": 1.5, "effusion": 1.5, "infiltration": 1.0}  # over the radius
BLOBS = 9, 13
TRIES = 6  # places for a scattered blob, of which the first that no other covers is taken
BLOB = 0.19  # radius of one over that of their disc
FLAT = 1.9, 2.6  # aspect of an effusion
BANDS = 7
LONGER = 1.25  # thin bands, which cross each other: measured, equals the areas


@dataclass(frozen=True)
class Lung:
    """One lung field: an ellipse in pixels; `side` is -1 where lateral is left in the image, 1 where it is right."""

    x: float
    y: float
    wide: float
    high: float
    side: int

    def at(self, share: float, angle: float) -> tuple[float, float]:
        """Return a point at a share of the semi-axes; the angle is 0 laterally and a quarter turn at the base."""
        return (
            self.x + self.side * self.wide * share * float(np.cos(angle)),
            self.y + self.high * share * float(np.sin(angle)),
        )

    def anywhere(self, rng: np.random.Generator, most: float) -> tuple[float, float]:
        """Draw a point evenly from the lung shrunk to `most`."""
        return self.at(most * float(np.sqrt(rng.uniform())), rng.uniform(0, 2 * np.pi))


@dataclass(frozen=True)
class Site:
    """Place of a finding: its lung, centre, radius and reach, in pixels."""

    lung: Lung
    place: tuple[float, float]
    radius: float
    reach: float


@dataclass(frozen=True)
class Drawn:
    """Shapes of a finding and of its counterpart, and the outline of the former."""

    compact: list[Shape]
    scattered: list[Shape]
    outline: list[Shape]


def site(name: str, lungs: tuple[Lung, Lung], unit: float, rng: np.random.Generator) -> Site:
    """Return a possible place of a finding of the class.

    Args:
        name: of `CLASSES`.
        lungs: the lung fields.
        unit: pixels that a length of 1 is, the difficulty's factor included.
        rng: everything is drawn from it.
    """
    lung, radius = lungs[int(rng.integers(2))], rng.uniform(*RADII[name]) * unit
    if name == "mass":
        return Site(lung, lung.anywhere(rng, 0.55), radius, REACH[name] * radius)
    (near, far), middle = ZONES[name]
    angle = np.radians(middle + rng.uniform(-20, 20))
    return Site(lung, lung.at(rng.uniform(near, far), float(angle)), radius, REACH[name] * radius)


def kept_free(name: str, at: Site, lungs: tuple[Lung, Lung]) -> list[Site]:
    """Return sites to keep free: the finding's and, if it is known, its counterpart's."""
    return [at] if name in ("infiltration", "mass") else [at, _mirrored(at, lungs)]


def _mirrored(at: Site, lungs: tuple[Lung, Lung]) -> Site:
    """Return the same site of the other lung."""
    other = lungs[0] if at.lung is lungs[1] else lungs[1]
    return Site(other, (other.x - (at.place[0] - at.lung.x), at.place[1]), at.radius, at.reach)


def draw(name: str, at: Site, lungs: tuple[Lung, Lung], rng: np.random.Generator) -> Drawn:
    """Draw the finding at its site, and its counterpart.

    The blobs of an infiltration are scattered over both lungs, a mass has its counterpart in the same lung. What has
    its place by anatomy has it at that place of the other lung. Elsewhere the two would differ in their position
    relative to the lung's outline, and the coarse spectrum of a film would give the label away.
    """
    if name == "infiltration":
        return _cloud(at, lungs, rng)
    partner = _mirrored(at, lungs)
    if name == "mass":
        partner = Site(at.lung, at.lung.anywhere(rng, 0.35), at.radius, at.reach)
    return _flat(at, partner, rng) if name == "effusion" else _solid(name, at, partner, rng)


def _solid(name: str, at: Site, partner: Site, rng: np.random.Generator) -> Drawn:
    """Draw a round nodule or a spiculated mass."""
    seeds = rng.integers(0, 2**31, 2)
    solid, loose = _FORMS[name]
    compact = Thing(solid, *at.place, at.radius, 1.0, int(seeds[0])).shapes()
    return Drawn(compact, Thing(loose, *partner.place, at.radius, 1.0, int(seeds[1])).shapes(), compact)


def _flat(at: Site, partner: Site, rng: np.random.Generator) -> Drawn:
    """Draw the flat shadow at a lung's base."""
    tilt, aspect, radius = rng.uniform(0, 0.25), rng.uniform(*FLAT), at.radius
    compact: list[Shape] = [Ellipse(*at.place, radius, aspect, at.lung.side * tilt, edge=RIM * radius)]
    x, y = partner.place
    away, turns = np.sqrt(rng.uniform(0, 0.7, BANDS)), rng.uniform(0, 2 * np.pi, BANDS)
    across, down = away * np.cos(turns) * radius * np.sqrt(aspect), away * np.sin(turns) * radius / np.sqrt(aspect)
    points = np.stack([x + across, y + down + partner.lung.side * tilt * across], 1)
    area = LONGER * np.pi * radius**2
    return Drawn(compact, _bands(points, area, 0.18 * radius, rng), compact)


def _bands(points: np.ndarray, area: float, half: float, rng: np.random.Generator) -> list[Shape]:
    """Return thin bent bands that cover an area together, one about each point "n xy"."""
    narrow, shapes = max(1.0, half), list[Shape]()
    for (x, y), share in zip(points, rng.dirichlet([8.0] * len(points)), strict=True):
        shapes += band(float(x), float(y), float(share) * area / (2 * narrow), narrow, rng)
    return shapes


def _cloud(at: Site, lungs: tuple[Lung, Lung], rng: np.random.Generator) -> Drawn:
    """Draw blobs close together, and as many all over the lungs; the outline is the disc around the former."""
    sizes = BLOB * at.radius * rng.uniform(0.8, 1.2, int(rng.integers(*BLOBS)))
    compact: list[Shape] = []
    scattered: list[Shape] = []
    for number, size in enumerate(sizes):
        turn = 2.4 * number + rng.uniform(-0.4, 0.4)  # the golden angle: evenly over the disc
        away = (1 - BLOB) * at.radius * float(np.sqrt((number + 0.5) / len(sizes)))
        compact.append(_blob(at.place[0] + away * np.cos(turn), at.place[1] + away * np.sin(turn), size))
        places = [lungs[int(rng.integers(2))].anywhere(rng, 0.6) for _ in range(TRIES)]
        scattered.append(_blob(*max(places, key=lambda place: _clear(place, size, scattered)), size))
    return Drawn(compact, scattered, [Ellipse(*at.place, at.radius)])


def _clear(place: tuple[float, float], size: float, others: list[Shape]) -> float:
    """Return the distance to the nearest other blob in pixels, at most 0; negative where they overlap."""
    gaps = (np.hypot(place[0] - o.x, place[1] - o.y) - size - o.radius for o in others if isinstance(o, Ellipse))
    return float(min([0.0, *gaps]))


def _blob(x: float, y: float, radius: float) -> Ellipse:
    return Ellipse(float(x), float(y), float(radius), edge=RIM * float(radius))


_FORMS: dict[str, tuple[Form, Form]] = {"mass": ("star", "strands"), "nodule": ("oval", "duct")}
