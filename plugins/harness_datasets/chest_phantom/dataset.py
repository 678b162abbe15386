"""`chest_phantom`: chest films drawn from a recipe, several findings each, with exact outlines.

Not a physical simulation: two dark lung fields, ribs, heart, mediastinum and vessels over texture. The findings
are in `findings`; they are named by what they imitate, and nothing is claimed of patients.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from harness import Dataset, InputError, Sample, Task, seed_of
from harness_datasets.chest_phantom.findings import CLASSES, PREVALENCE, Drawn, Lung, Site, draw, kept_free, site
from harness_datasets.shared.canvas import Ellipse, Shape, Stroke, coverage, encode, power_law_texture
from harness_datasets.shared.lesions import band

VERSION = 2
SPLITS = ("train", "val", "test")
LEAST, MOST = 96, 512
JITTER = 0.75, 1.25  # of anything's contrast
HEEL = 0.15  # exposure changes by up to this share from the middle of the image to each edge
TRIES = 12
AERATED = 0.1, 0.22  # what a lung is darker than the tissue round it: of the film, as its exposure is


@dataclass(frozen=True)
class Scene:
    """Settings that depend on the difficulty: contrast before jitter over the image's range, size factor, vessels."""

    contrast: float
    scale: float
    vessels: tuple[float, float]

    @classmethod
    def of(cls, difficulty: float) -> Scene:
        """Return the scene of a difficulty from 0 (large, clear, few vessels) to 1 (small, faint, many)."""

        def between(easy: float, hard: float) -> float:
            return easy + (hard - easy) * difficulty

        return cls(between(0.4, 0.08), between(1.2, 0.8), (between(5, 8), between(20, 40)))


class ChestPhantom(Dataset):
    """See `harness_datasets.chest_phantom.component.build_chest_phantom` for the parameters."""

    def __init__(self, task: Task, params: Mapping[str, Any]) -> None:
        self.task, self.params = task, dict(params)
        height, width = params["image_size"]
        if not all(LEAST <= size <= MOST for size in (height, width)):
            raise InputError(
                f"dataset chest_phantom: image_size: {LEAST} x {LEAST} to {MOST} x {MOST} expected, "
                f"but got {height} x {width}"
            )
        if not 0 <= params["difficulty"] <= 1:
            raise InputError(f"dataset chest_phantom: difficulty: must be in [0, 1], but is {params['difficulty']}")
        if min(params["images"]) < 4:
            raise InputError(f"dataset chest_phantom: images: 4 a split at least, but got {list(params['images'])}")
        self._scene = Scene.of(params["difficulty"])
        self._unit = min(height, width) * self._scene.scale
        self._splits = cache(self._samples)

    @property
    def digest(self) -> str:
        """Of the parameters and the generator's version: nothing is drawn for it."""
        text = json.dumps(["chest_phantom", VERSION, self.params], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def split(self, name: str) -> Sequence[Sample]:
        """Return patients in order, one or two images each; `tune_loc` is empty."""
        return () if name == "tune_loc" else self._splits(name)

    def read(self, sample: Sample) -> np.ndarray:
        """Return the film, uint16 "h w"."""
        size, rng = self.task.image_size, self.rng("film", sample.id)
        lungs = self._lungs(sample)
        image = self._anatomy(sample, lungs, rng) + self._painted(sample, lungs)
        image += rng.standard_normal(size, np.float32) * np.float32(rng.uniform(0.012, 0.022))
        down, across = rng.uniform(-HEEL, HEEL, 2).astype(np.float32)
        y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in size)
        return encode(image * rng.uniform(0.8, 1.0) * (1 + down * y[:, None] + across * x[None, :]))

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Return where a finding covers at least half of a pixel, uint8 "k h w"; of an infiltration its disc."""
        masks = np.zeros((len(CLASSES), *self.task.image_size), np.uint8)
        for number, (drawn, label) in enumerate(zip(self._findings(sample), sample.labels, strict=True)):
            if label:
                masks[number] = coverage(drawn.outline, self.task.image_size) >= 0.5
        return masks

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return whether it is the patient's first or second film."""
        return {"film": str(sample.source["film"])}

    def rng(self, *names: object) -> np.random.Generator:
        """Return a random stream for these names."""
        return np.random.default_rng(seed_of("chest_phantom", VERSION, self.params["seed"], *names))

    def _samples(self, split: str) -> tuple[Sample, ...]:
        count = self.params["images"][SPLITS.index(split)]
        positive = [self._positive(split, name, count) for name in CLASSES]
        found: list[Sample] = []
        patient = 0
        while len(found) < count:
            group = f"{split}-{patient:05d}"
            for film in range(min(int(self.rng("films", group).integers(1, 3)), count - len(found))):
                labels = tuple(float(len(found) in chosen) for chosen in positive)
                name = f"{group}-{film}"
                found.append(
                    Sample(id=name, group=group, unit=name, labels=labels, source={"group": group, "film": film})
                )
            patient += 1
        return tuple(found)

    def _positive(self, split: str, name: str, count: int) -> set[int]:
        """Return the images with the finding: the prevalence exactly, but at least one."""
        wanted = max(1, round(PREVALENCE[name] * count))
        return {int(image) for image in self.rng("labels", split, name).permutation(count)[:wanted]}

    def _lungs(self, sample: Sample) -> tuple[Lung, Lung]:
        """Return the lung fields; their size is the patient's, their place the film's."""
        (height, width), patient = self.task.image_size, self.rng("patient", sample.group)
        film = self.rng("place", sample.id)
        wide, high = patient.uniform(0.165, 0.185) * width, patient.uniform(0.33, 0.38) * height
        apart = patient.uniform(0.205, 0.215) * width
        x, y = (0.5 + film.uniform(-0.02, 0.02)) * width, (0.49 + film.uniform(-0.02, 0.02)) * height
        return Lung(x - apart, y, wide, high, -1), Lung(x + apart, y, wide, high, 1)

    def _anatomy(self, sample: Sample, lungs: tuple[Lung, Lung], rng: np.random.Generator) -> np.ndarray:
        """Draw tissue, the lungs in it, heart and mediastinum over them, ribs over all."""
        size = self.task.image_size
        patient = self.rng("tissue", sample.group)
        fields = coverage([_ellipse(lung, 0.08) for lung in lungs], size)
        middle, lung = (lungs[0].x + lungs[1].x) / 2, lungs[1]
        heart = Ellipse(
            middle + 0.3 * lung.wide, lung.y + 0.45 * lung.high, 0.55 * lung.wide, patient.uniform(1.0, 1.3), 0.5,
            edge=0.15 * lung.wide,
        )  # fmt: skip
        spine = Stroke(middle, 0, middle, size[0], 0.28 * lung.wide, 0.3 * lung.wide, 0.2 * lung.wide)
        fields *= 1 - 0.85 * coverage([heart, spine], size)
        texture = power_law_texture(rng, size, 2.8 + rng.uniform(-0.5, 0.5))
        image = patient.uniform(0.62, 0.68) + rng.uniform(0.03, 0.08) * texture - rng.uniform(*AERATED) * fields
        ribs = [shape for lung in lungs for shape in _ribs(lung, patient)]
        return (image + rng.uniform(0.02, 0.08) * coverage(ribs, size)).astype(np.float32)

    def _painted(self, sample: Sample, lungs: tuple[Lung, Lung]) -> np.ndarray:
        """Return what findings, counterparts and vessels add; of overlapping ones of one sign the stronger counts."""
        bright, dark = self._vessels(sample, lungs)
        rng, layers = self.rng("contrasts", sample.id), {1: bright, -1: dark}
        for label, drawn in zip(sample.labels, self._findings(sample), strict=True):
            sign = 1 if label else -1
            for shapes, which in ((drawn.compact, sign), (drawn.scattered, -sign)):
                strength = self._scene.contrast * rng.uniform(*JITTER)
                layers[which].extend(replace(shape, strength=strength) for shape in shapes)
        painted: np.ndarray = coverage(bright, self.task.image_size) - coverage(dark, self.task.image_size)
        return painted

    def _vessels(self, sample: Sample, lungs: tuple[Lung, Lung]) -> tuple[list[Shape], list[Shape]]:
        """Return thin bands in the lungs, bright and dark; their number varies more than the findings' ink."""
        rng, least = self.rng("vessels", sample.id), 0.008 * min(self.task.image_size)
        signs: tuple[list[Shape], list[Shape]] = ([], [])
        for _ in range(int(np.exp(rng.uniform(*np.log(self._scene.vessels))))):
            x, y = lungs[int(rng.integers(2))].anywhere(rng, 0.8)
            length, strength = rng.uniform(0.06, 0.18) * self._unit, self._scene.contrast * rng.uniform(*JITTER)
            signs[int(rng.integers(2))].extend(band(x, y, length, max(1.0, least), rng, strength))
        return signs

    def _findings(self, sample: Sample) -> list[Drawn]:
        """Return one finding of each class, present or not, apart from each other where possible."""
        rng, lungs = self.rng("findings", sample.id), self._lungs(sample)
        found, taken = dict[int, Site](), list[Site]()
        for number in rng.permutation(len(CLASSES)):  # who comes last finds less room: it must not be always the same
            tries = [site(CLASSES[number], lungs, self._unit, rng) for _ in range(TRIES)]
            found[int(number)] = max(tries, key=lambda tried: min(0.0, _gap(tried, taken)))
            taken += kept_free(CLASSES[number], found[int(number)], lungs)
        return [draw(name, found[number], lungs, rng) for number, name in enumerate(CLASSES)]


def _gap(tried: Site, others: Iterable[Site]) -> float:
    """Return the pixels between a site and the nearest other; negative where they overlap."""
    (x, y), reach = tried.place, tried.reach
    gaps = (math.hypot(x - o.place[0], y - o.place[1]) - reach - o.reach for o in others)
    return min(gaps, default=0.0)


def _ellipse(lung: Lung, edge: float) -> Ellipse:
    """Return the lung as a shape; `edge` over its width."""
    radius = float(np.sqrt(lung.wide * lung.high))
    return Ellipse(lung.x, lung.y, radius, lung.high / lung.wide, np.pi / 2, edge=edge * radius)


def _ribs(lung: Lung, rng: np.random.Generator) -> list[Shape]:
    """Return seven arcs that fall from the spine to the side."""
    shapes: list[Shape] = []
    turns = np.linspace(0, np.pi, 7)
    for level in np.linspace(-0.8, 0.75, 7) + rng.uniform(-0.03, 0.03):
        x = lung.x + lung.side * lung.wide * (-1.1 + 2.2 * (1 - np.cos(turns)) / 2)
        y = lung.y + lung.high * (level + 0.16 * (turns / np.pi) ** 2 - 0.06 * np.sin(turns))
        half = 0.028 * lung.high
        shapes += [Stroke(x[n], y[n], x[n + 1], y[n + 1], half, half, half) for n in range(len(turns) - 1)]
    return shapes
