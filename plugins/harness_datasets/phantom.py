"""`phantom_mammograms`: mammograms drawn from a recipe, with exact outlines of every lesion.

Not a physical simulation: no scatter, no ligament anatomy, and the textures of CC and MLO are
independent. It serves to test methods, not to claim anything about patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness import Sample
from harness_datasets.canvas import coverage, power_law_texture
from harness_datasets.lesions import REACH, Kind, Thing
from harness_datasets.patients import CLASSES, SyntheticBreasts

VERSION = 1
EXPONENT = 3.0
STAND_INS: Mapping[str, Kind] = {"benign": "duct", "malignant": "strands"}


class PhantomMammograms(SyntheticBreasts):
    """See `harness_datasets.build_phantom_mammograms` for the parameters."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__("phantom_mammograms", VERSION, params)

    def draw(self, sample: Sample) -> np.ndarray:
        """Tissue under a compressed outline, the things in it, detector noise, exposure."""
        size = self.task.image_size
        rng = self.rng("view", sample.id)
        image, inside = self._tissue(sample, rng)
        for thing in self._things(sample):
            image += thing.contrast * coverage(thing.shapes(), size) * inside
        image += rng.standard_normal(size, np.float32) * np.float32(0.012)
        image *= rng.uniform(0.9, 1.1)
        return np.ascontiguousarray(image[:, ::-1]) if sample.source["side"] == "R" else image

    def outlines(self, sample: Sample) -> np.ndarray:
        """Where a lesion covers at least half of a pixel."""
        masks = np.zeros((len(CLASSES), *self.task.image_size), bool)
        for thing in self._things(sample):
            if thing.kind in CLASSES:
                masks[CLASSES.index(thing.kind)] |= coverage(thing.shapes(), self.task.image_size) >= 0.5
        return masks[:, :, ::-1] if sample.source["side"] == "R" else masks

    def _tissue(self, sample: Sample, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The empty breast facing right, and its thickness in [0, 1]."""
        height, width = self.task.image_size
        depth, reach = self._outline(sample)
        y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
        x = (np.arange(width, dtype=np.float32)[None, :] + 0.5) / height
        radius = np.sqrt((x / depth) ** 2 + ((y - 0.5) / reach) ** 2)
        inside = np.clip((1 - radius) / 0.12, 0, 1) ** np.float32(0.6)
        density = self.rng("patient", sample.group).uniform(0, 1)
        texture = power_law_texture(rng, (height, width), EXPONENT + rng.uniform(-0.2, 0.2))
        tissue = 0.34 + 0.08 * density + (0.05 + 0.02 * density) * texture
        image = tissue * inside + np.float32(0.02)
        if sample.source["view"] == "MLO":
            image += 0.12 * np.clip((rng.uniform(0.28, 0.4) - x / 0.75 - 0.7 * y) / 0.02, 0, 1) * inside
        return image.astype(np.float32), inside

    def _outline(self, sample: Sample) -> tuple[float, float]:
        """Depth and half height of the breast over the image height; alike in all views of a patient."""
        height, width = self.task.image_size
        patient, view = self.rng("patient", sample.group, "size"), self.rng("outline", sample.id)
        scale = patient.uniform(0.82, 1.0)
        return width / height * scale * view.uniform(0.88, 0.95), scale * view.uniform(0.46, 0.49)

    def _things(self, sample: Sample) -> list[Thing]:
        """A lesion or its stand-in for each class, and further stand-ins; the same things in both views."""
        source, difficulty = sample.source, self.params["difficulty"]
        rng = self.rng("breast", sample.unit)
        height = self.task.image_size[0]
        slots: list[Kind] = [
            kind if label else STAND_INS[kind] for kind, label in zip(CLASSES, sample.labels, strict=True)
        ]
        slots += [STAND_INS[CLASSES[int(number)]] for number in rng.integers(0, 2, round(1 + 3 * difficulty))]
        radii = rng.uniform(0.03, 0.065, len(slots)) * height
        contrasts = (0.30 - 0.22 * difficulty) * rng.uniform(0.8, 1.25, len(slots))
        depths = rng.uniform(0.15, 0.75, len(slots))
        seeds = rng.integers(0, 2**31, len(slots))
        places = self._places(sample, depths, radii, self.rng("places", sample.unit, source["view"]))
        return [
            Thing(kind, x, y, float(radius), float(contrast), int(seed))
            for kind, (x, y), radius, contrast, seed in zip(slots, places, radii, contrasts, seeds, strict=True)
        ]

    def _places(
        self, sample: Sample, depths: np.ndarray, radii: np.ndarray, rng: np.random.Generator
    ) -> list[tuple[float, float]]:
        """A place for each thing: its depth is the breast's, the other coordinate the view's; apart if they can be."""
        height, _ = self.task.image_size
        depth, reach = self._outline(sample)
        found: list[tuple[float, float, float]] = []
        for share, radius in zip(depths, radii, strict=True):
            x = float(share * depth * height)
            room = reach * np.sqrt(1 - share**2) * 0.85
            candidates = (0.5 + room * rng.uniform(-1, 1, 24)) * height
            gaps = [
                min((np.hypot(x - u, y - v) - REACH * 0.7 * (radius + r) for u, v, r in found), default=0.0)
                for y in candidates
            ]
            best = int(np.argmax(np.minimum(gaps, 0)))
            found.append((x, float(candidates[best]), float(radius)))
        return [(x, y) for x, y, _ in found]
