"""`needle_digits`: real handwriting on a textured canvas; is there a 3, is there a 5?

After Pawlowski et al. 2019, "Needles in Haystacks": the share of the canvas that the target
covers is the dial, and the truth is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness import InputError, Sample
from harness_datasets.shared.breasts import CLASSES
from harness_datasets.shared.canvas import power_law_texture
from harness_datasets.shared.glyphs import Glyphs, load_glyphs
from harness_datasets.shared.patients import SyntheticBreasts

VERSION = 1
TARGETS = {"benign": 5, "malignant": 3}
JITTER = 0.6, 1.4  # of each digit's contrast
SPACING = 1.25  # side of a cell over the glyph's: no border or corner knows where glyphs begin
INK = 0.3  # of full ink: where a glyph's outline runs


class NeedleDigits(SyntheticBreasts):
    """See `harness_datasets.needle_digits.component.build_needle_digits` for the parameters."""

    def __init__(self, root: Path, params: Mapping[str, Any]) -> None:
        super().__init__("needle_digits", VERSION, params)
        self._root = root
        self._glyphs: Glyphs | None = None
        height, width = self.task.image_size
        cell = SPACING * params["glyph_px"]
        self._grid = int(height / cell), int(width / cell)
        most = round(1.25 * params["objects"])
        if most > self._grid[0] * self._grid[1]:
            raise InputError(
                f"dataset needle_digits: objects: up to {most} digits of {params['glyph_px']} px do not fit on "
                f"{height} x {width}, which holds {self._grid[0] * self._grid[1]}"
            )

    def prepare(self) -> None:
        """Read the handwriting, so that a missing file is reported before anything is decoded."""
        self._handwriting()

    def draw(self, sample: Sample) -> np.ndarray:
        """Draw digits on 1/f texture, with sensor noise and exposure."""
        size, rng = self.task.image_size, self.rng("view", sample.id)
        image = 0.26 + rng.uniform(0.05, 0.09) * power_law_texture(rng, size, rng.uniform(2.4, 3.2))
        for _, ink, contrast, place in self._objects(sample):
            image[place] += contrast * ink
        image += rng.standard_normal(size, np.float32) * np.float32(rng.uniform(0.01, 0.035))
        return image * rng.uniform(0.9, 1.1)

    def outlines(self, sample: Sample) -> np.ndarray:
        """Return the ink of the targets."""
        masks = np.zeros((len(CLASSES), *self.task.image_size), bool)
        for digit, ink, _, place in self._objects(sample):
            for number, name in enumerate(CLASSES):
                if digit == TARGETS[name]:
                    masks[number][place] |= ink > INK
        return masks

    def _objects(self, sample: Sample) -> list[tuple[int, np.ndarray, float, tuple[slice, slice]]]:
        """Return digit, ink, contrast and place of each object; two views of a breast differ in places only."""
        glyphs = self._handwriting()
        split = str(sample.source["group"]).split("-")[0]
        rng = self.rng("breast", sample.unit)
        chosen = [
            glyphs.target(rng, split, TARGETS[name]) if label else glyphs.stand_in(rng, split, TARGETS[name])
            for name, label in zip(CLASSES, sample.labels, strict=True)
        ]
        wanted = self.params["objects"]
        count = int(rng.integers(round(0.75 * wanted), round(1.25 * wanted) + 1))
        chosen += [glyphs.distractor(rng, split) for _ in range(max(0, count - len(chosen)))]
        contrasts = self.params["contrast"] * rng.uniform(*JITTER, len(chosen))
        places = self._places(self.rng("places", sample.id), len(chosen))
        return [
            (int(glyphs.digits[glyph]), glyphs.ink[glyph], float(contrast), place)
            for glyph, contrast, place in zip(chosen, contrasts, places, strict=True)
        ]

    def _places(self, rng: np.random.Generator, count: int) -> list[tuple[slice, slice]]:
        """Return boxes that do not overlap: cells of a grid, each with play inside its cell."""
        (rows, columns), (height, width), side = self._grid, self.task.image_size, self.params["glyph_px"]
        cells = rng.permutation(rows * columns)[:count]
        play = rng.uniform(0, 1, (count, 2))
        top = ((cells // columns) * height / rows + play[:, 0] * (height / rows - side)).astype(int)
        left = ((cells % columns) * width / columns + play[:, 1] * (width / columns - side)).astype(int)
        return [(slice(y, y + side), slice(x, x + side)) for y, x in zip(top, left, strict=True)]

    def _handwriting(self) -> Glyphs:
        if self._glyphs is None:
            self._glyphs = load_glyphs(self._root, self.params["digits"], self.params["glyph_px"])
        return self._glyphs
