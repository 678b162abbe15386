"""`histology_phantom`: tiles stained as with haematoxylin and eosin, and a nest of atypical nuclei, or not.

Every tile has a nest of crowded nuclei, scattered ones of both kinds in any proportion, and spindle nuclei.
Where the label is 1 the crowded ones are atypical, else regular. Not a simulation of tissue: it serves to test methods.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from harness import Dataset, InputError, Sample, Task, seed_of
from harness_datasets.histology_phantom.nuclei import CROWDED, STREWN, Kind, Nest, lattice, shape
from harness_datasets.shared.canvas import Ellipse, coverage, power_law_texture

VERSION = 2
SPLITS = ("train", "val", "test")
STROMA = np.array([0.88, 0.66, 0.78], np.float32)
NUCLEUS = np.array([0.47, 0.33, 0.60], np.float32)
HUE = 0.14, 0.02  # of an atypical nucleus towards blue, of a regular one towards red, at difficulty 0 and 1
SPINDLES = 0.2  # of the nuclei outside nests
SHARE = 0.0, 1.0  # of atypical ones among the other scattered nuclei
BALANCED = 0.85  # of what a nest adds to a tile's colour, by the scattered nuclei
LEAST_PX = 64


class HistologyPhantom(Dataset):
    """See `harness_datasets.histology_phantom.component.build_histology_phantom` for the parameters.

    A tile is a pure function of the parameters, the seed and its id.
    """

    name = "histology_phantom"

    def __init__(self, task: Task, params: Mapping[str, Any]) -> None:
        self.task, self.params = task, dict(params)
        for problem in self._problems():
            raise InputError(f"dataset {self.name}: {problem}")
        self._splits = cache(self._samples)

    @property
    def digest(self) -> str:
        """Of the parameters and the generator's version: nothing is drawn for it."""
        text = json.dumps([self.name, VERSION, self.params], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def split(self, name: str) -> Sequence[Sample]:
        """Return patients in order, their tiles together; `tune_loc` is empty."""
        return () if name == "tune_loc" else self._splits(name)

    def read(self, sample: Sample) -> np.ndarray:
        """Return the tile, uint8 "h w 3"."""
        size, rng = self.task.image_size, self._rng("tile", sample.id)
        image = self._stroma(sample, rng)
        for colour, part in self._nuclei(sample, rng):
            image += coverage(part, size)[:, :, None] * (colour - image)
        image *= self._stain(sample, rng)
        image += rng.standard_normal((*size, 1), np.float32) * np.float32(0.02)
        return np.asarray(np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Return the nest of atypical nuclei, uint8 "1 h w"; empty where the label is 0."""
        size = self.task.image_size
        found = [nest.region for nest in self._nests(sample) if nest.finding]
        return (coverage(found, size) >= 0.5).astype(np.uint8)[None]

    def _problems(self) -> list[str]:
        params, (height, width) = self.params, self.params["image_size"]
        found = []
        if min(height, width) < LEAST_PX:
            found.append(f"image_size: at least {LEAST_PX} x {LEAST_PX} expected, but got {height} x {width}")
        if not 0 <= params["difficulty"] <= 1:
            found.append(f"difficulty: must be in [0, 1], but is {params['difficulty']}")
        if not 0 < params["prevalence"] < 1:
            found.append(f"prevalence: must be in (0, 1), but is {params['prevalence']}")
        if not 2 <= params["nucleus_px"] <= min(height, width) / 20:
            found.append(f"nucleus_px: must be in [2, {min(height, width) / 20:g}], but is {params['nucleus_px']}")
        if params["tiles"] < 1:
            found.append(f"tiles: a patient has 1 or more, but got {params['tiles']}")
        elif min(params["images"]) < max(2, params["tiles"]):
            found.append(f"images: a split has 2 or more and a whole patient, but one is given {min(params['images'])}")
        return found

    def _stroma(self, sample: Sample, rng: np.random.Generator) -> np.ndarray:
        """Draw pink bands of collagen, "h w 3"."""
        height, width = self.task.image_size
        texture = power_law_texture(rng, (height, width), rng.uniform(2.2, 2.8))
        y, x = (np.arange(size, dtype=np.float32) for size in (height, width))
        angle, period = rng.uniform(0, np.pi), rng.uniform(4, 8) * self.params["nucleus_px"]
        along = (np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]) / np.float32(period)
        bands = 0.6 * texture + 0.5 * np.sin(2 * np.pi * along + 2 * texture).astype(np.float32)
        tint = np.array([0.3, 1.0, 0.6], np.float32) * np.float32(rng.uniform(0.05, 0.08))
        return np.asarray(STROMA + bands[:, :, None] * tint, np.float32)

    def _stain(self, sample: Sample, rng: np.random.Generator) -> np.ndarray:
        """Return the strength of the stains for each channel: the patient's, with a small variation by tile."""
        patient = self._rng("patient", sample.group).uniform(0.88, 1.08, 3)
        return np.asarray(patient * rng.uniform(0.95, 1.05), np.float32)

    def _nests(self, sample: Sample) -> list[Nest]:
        """Return the nest that the label is about, and further ones of regular nuclei; apart where possible."""
        rng, (height, width) = self._rng("nests", sample.id), self.task.image_size
        difficulty, positive = self.params["difficulty"], sample.labels[0] == 1
        kinds: list[tuple[Kind, bool]] = [("atypical" if positive else "regular", positive)]
        kinds += [("regular", False)] * round(2 * difficulty)
        found: list[Nest] = []
        for kind, finding in kinds:
            radius = (0.13 - 0.03 * difficulty) * min(height, width) * rng.uniform(0.85, 1.15)
            margin = 0.8 * radius
            places = rng.uniform((margin, margin), (width - margin, height - margin), (16, 2))
            gaps = [min((np.hypot(x - n.region.x, y - n.region.y) for n in found), default=0.0) for x, y in places]
            x, y = places[int(np.argmax(gaps))]
            found.append(Nest(Ellipse(x, y, radius, rng.uniform(1, 1.6), rng.uniform(0, np.pi)), kind, finding))
        return found

    def _nuclei(self, sample: Sample, rng: np.random.Generator) -> list[tuple[np.ndarray, list[Ellipse]]]:
        """Return colour and outlines of the nuclei, kind by kind."""
        radius, nests = float(self.params["nucleus_px"]), self._nests(sample)
        placed: list[tuple[Kind, np.ndarray]] = []
        crowd = lattice(rng, self.task.image_size, CROWDED * radius)
        free = lattice(rng, self.task.image_size, STREWN * radius)
        first = 0
        for nest in nests:
            placed += [(nest.kind, point) for point in crowd[nest.inside(crowd)]]
            crowd, free = crowd[~nest.inside(crowd)], free[~nest.inside(free, 2 * radius)]
            first = first or len(placed)
        free = rng.permutation(free)
        spindles = round(SPINDLES * len(free))
        # The share of atypical ones among the scattered is random. Most of what the nest adds to the tile's colour is
        # taken off again: neither that colour nor the scattered nuclei then identify the label, but the nest does.
        rest, shift = len(free) - spindles, (-1 if nests[0].kind == "atypical" else 1) * BALANCED * first / 2
        atypical = int(np.clip(round(rng.uniform(*SHARE) * rest + shift), 0, rest))
        counts: tuple[tuple[Kind, int], ...] = (
            ("spindle", spindles),
            ("atypical", atypical),
            ("regular", rest - atypical),
        )
        placed += zip([kind for kind, count in counts for _ in range(count)], free, strict=True)
        hue = np.array([-1, 0, 1], np.float32) * np.float32(HUE[0] + (HUE[1] - HUE[0]) * self.params["difficulty"])
        colours: dict[Kind, np.ndarray] = {"atypical": NUCLEUS + hue, "regular": NUCLEUS - hue, "spindle": NUCLEUS}
        return [
            (colour, [shape(rng, kind, point, radius) for own, point in placed if own == kind])
            for kind, colour in colours.items()
        ]

    def _rng(self, *names: object) -> np.random.Generator:
        """Return a random stream for these names."""
        return np.random.default_rng(seed_of(self.name, VERSION, self.params["seed"], *names))

    def _samples(self, split: str) -> tuple[Sample, ...]:
        wanted, tiles = self.params["images"][SPLITS.index(split)], self.params["tiles"]
        total = wanted // tiles * tiles
        positives = min(max(1, round(self.params["prevalence"] * total)), total - 1)
        chosen = set(self._rng("labels", split).permutation(total)[:positives].tolist())
        found = []
        for number in range(total):
            group = f"{split}-{number // tiles:05d}"
            name = f"{group}-{number % tiles}"
            found.append(Sample(id=name, group=group, unit=name, labels=(float(number in chosen),)))
        return tuple(found)
