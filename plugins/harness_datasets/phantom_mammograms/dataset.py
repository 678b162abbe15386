"""`phantom_mammograms`: mammograms drawn from a recipe, with exact outlines of every lesion.

Not a physical simulation: no scatter, no ligament anatomy, and the textures of CC and MLO are
independent. It serves to test methods, not to claim anything about patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness import InputError, Sample
from harness_datasets.shared.breasts import CLASSES
from harness_datasets.shared.canvas import Shape, coverage, power_law_texture
from harness_datasets.shared.lesions import REACH, Form, Thing, band, thin
from harness_datasets.shared.patients import SyntheticBreasts

VERSION = 3
EXPONENT = 3.0
JITTER = 0.7, 1.4  # of anything's contrast
DEPTHS = 0.24, 0.64  # of a thing's centre, from the chest wall over the breast's depth
HEEL = 0.2  # exposure changes by up to this share from the middle of the image to each edge
WALL = 0.07  # distance of the chest wall's fibres from it, over the image height
PAIRS: Mapping[str, tuple[Form, Form]] = {"benign": ("oval", "duct"), "malignant": ("star", "strands")}
DISTRACTORS: tuple[tuple[Form, Form], ...] = (("duct", "duct"), ("strands", "strands"))


@dataclass(frozen=True)
class Scene:
    """Settings that depend on the difficulty; lengths over the image height.

    Args:
        contrast: of a lesion before jitter, over the image's range.
        radii: least and largest radius of a lesion.
        fibres: least and largest number of fibres in a breast.
        further: pairs of scattered things beyond the one of each class.
    """

    contrast: float
    radii: tuple[float, float]
    fibres: tuple[float, float]
    further: int

    @classmethod
    def of(cls, difficulty: float) -> Scene:
        """Return the scene of a difficulty from 0 (large, bright, few distractors) to 1 (small, faint, many)."""

        def between(easy: float, hard: float) -> float:
            return easy + (hard - easy) * difficulty

        radii, fibres = (between(0.045, 0.03), between(0.08, 0.055)), (between(2, 6), between(10, 40))
        return cls(between(0.5, 0.12), radii, fibres, round(between(0, 4)))


class PhantomMammograms(SyntheticBreasts):
    """See `harness_datasets.phantom_mammograms.component.build_phantom_mammograms` for the parameters."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__("phantom_mammograms", VERSION, params)
        if not 0 <= params["difficulty"] <= 1:
            raise InputError(f"dataset {self.name}: difficulty: must be in [0, 1], but is {params['difficulty']}")
        self._scene = Scene.of(params["difficulty"])

    def draw(self, sample: Sample) -> np.ndarray:
        """Draw tissue in a compressed outline, the things in it, detector noise and exposure."""
        size = self.task.image_size
        rng = self.rng("view", sample.id)
        image, inside = self._tissue(sample, rng)
        image += self._painted(sample) * inside
        image += rng.standard_normal(size, np.float32) * np.float32(0.02)
        image *= rng.uniform(0.9, 1.1) * self._heel(sample)
        return np.ascontiguousarray(image[:, ::-1]) if sample.source["side"] == "R" else image

    def outlines(self, sample: Sample) -> np.ndarray:
        """Return where a lesion covers at least half of a pixel."""
        masks = np.zeros((len(CLASSES), *self.task.image_size), bool)
        for thing in self._things(sample):
            if thing.finding:
                masks[CLASSES.index(thing.finding)] |= coverage(thing.shapes(), self.task.image_size) >= 0.5
        return masks[:, :, ::-1] if sample.source["side"] == "R" else masks

    def _tissue(self, sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw the empty breast facing right; return it with its thickness in [0, 1]."""
        height, width = self.task.image_size
        depth, reach = self._outline(sample)
        y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
        x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / height
        radius = np.sqrt((x / depth) ** 2 + ((y - 0.5) / reach) ** 2)
        inside = np.clip((1 - radius) / 0.12, 0, 1) ** np.float32(0.6)
        density = self.rng("patient", sample.group).uniform(0, 1)
        texture = power_law_texture(rng, (height, width), EXPONENT + rng.uniform(-0.2, 0.2))
        tissue = 0.42 + 0.08 * density + (0.05 + 0.02 * density) * texture
        image = tissue * inside + np.float32(0.02)
        if sample.source["view"] == "MLO":
            image += 0.12 * np.clip((rng.uniform(0.28, 0.4) - x / 0.75 - 0.7 * y) / 0.02, 0, 1) * inside
        return image.astype(np.float32), inside

    def _heel(self, sample: Sample) -> np.ndarray:
        """Return uneven exposure, "h w", a ramp in each direction: the coarse spectrum then hides a lesion's share."""
        height, width = self.task.image_size
        down, across = self.rng("heel", sample.id).uniform(-HEEL, HEEL, 2).astype(np.float32)
        y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in (height, width))
        return np.asarray(1 + down * y[:, None] + across * x[None, :])

    def _painted(self, sample: Sample) -> np.ndarray:
        """Return what things and fibres add; of overlapping ones of one sign the stronger counts."""
        bright, dark = self._fibres(sample)
        for thing in self._things(sample):
            shapes = [replace(shape, strength=abs(thing.contrast)) for shape in thing.shapes()]
            (bright if thing.contrast > 0 else dark).extend(shapes)
        return np.asarray(coverage(bright, self.task.image_size) - coverage(dark, self.task.image_size))

    def _fibres(self, sample: Sample) -> tuple[list[Shape], list[Shape]]:
        """Return bright and dark fibres, also along the chest wall; their amount varies more than lesions' ink."""
        (height, width), rng = self.task.image_size, self.rng("fibres", sample.id)
        amount = self.rng("fibres", sample.unit).uniform(*np.log(self._scene.fibres)) + rng.uniform(-0.2, 0.2)
        anywhere, wall = int(np.exp(amount)), int(rng.integers(0, 5))
        reach = np.array([width] * anywhere + [WALL * height] * wall)
        signs: tuple[list[Shape], list[Shape]] = ([], [])
        for wide, sign in zip(reach, rng.integers(0, 2, len(reach)), strict=True):
            x, y = rng.uniform(0, 1, 2) * np.array([wide, height])
            radius, length = rng.uniform(*self._scene.radii) * height, rng.uniform(0.06, 0.2) * height
            signs[sign].extend(band(x, y, length, thin(radius), rng, self._scene.contrast * rng.uniform(*JITTER)))
        return signs

    def _outline(self, sample: Sample) -> tuple[float, float]:
        """Return depth and half height of the breast over the image height; similar in all views of a patient."""
        height, width = self.task.image_size
        patient, view = self.rng("patient", sample.group, "size"), self.rng("outline", sample.id)
        scale = patient.uniform(0.82, 1.0)
        return width / height * scale * view.uniform(0.88, 0.95), scale * view.uniform(0.46, 0.49)

    def _things(self, sample: Sample) -> list[Thing]:
        """Return a pair for each class, bright and compact where there is a finding, and further pairs."""
        rng = self.rng("breast", sample.unit)
        pairs = [(PAIRS[name], name if label else "", 1 if label else -1) for name, label in _labelled(sample)]
        pairs += [(DISTRACTORS[n], "", int(rng.choice([-1, 1]))) for n in rng.integers(0, 2, self._scene.further)]
        radii = rng.uniform(*self._scene.radii, len(pairs)) * self.task.image_size[0]
        contrasts = self._scene.contrast * rng.uniform(*JITTER, (2, len(pairs)))
        depths, seeds = rng.uniform(*DEPTHS, (2, len(pairs))), rng.integers(0, 2**31, (2, len(pairs)))
        places = self._places(sample, depths, radii)
        return [
            Thing(
                forms[n],
                *places[n][i],
                float(radii[i]),
                float(contrasts[n, i] * sign * (1, -1)[n]),
                int(seeds[n, i]),
                (finding, "")[n],
            )
            for i, (forms, finding, sign) in enumerate(pairs)
            for n in (0, 1)
        ]

    def _places(self, sample: Sample, depths: np.ndarray, radii: np.ndarray) -> list[list[tuple[float, float]]]:
        """Return a place for each thing: its depth is the breast's, the other coordinate the view's.

        Args:
            sample: which view.
            depths: from the chest wall over the breast's depth, "n i": member of the pair, pair.
            radii: in pixels, "i".
        """
        rng, height = self.rng("places", sample.id), self.task.image_size[0]
        depth, reach = self._outline(sample)
        shares, reaches = depths.ravel(), np.tile(radii, 2)
        found: dict[int, tuple[float, float, float]] = {}
        for n in rng.permutation(len(shares)):  # who comes last finds less room: it must not be always the same
            x, room = float(shares[n] * depth * height), reach * np.sqrt(1 - shares[n] ** 2) * 0.75
            candidates = (0.5 + room * rng.uniform(-1, 1, 24)) * height
            gaps = [
                min((np.hypot(x - u, y - v) - REACH * (reaches[n] + r) for u, v, r in found.values()), default=0.0)
                for y in candidates
            ]
            found[n] = (x, float(candidates[int(np.argmax(np.minimum(gaps, 0)))]), float(reaches[n]))
        places = [found[n][:2] for n in range(len(shares))]
        return [places[: len(radii)], places[len(radii) :]]


def _labelled(sample: Sample) -> list[tuple[str, float]]:
    return list(zip(CLASSES, sample.labels, strict=True))
