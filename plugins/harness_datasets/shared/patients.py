"""Patients of the generators of breasts: two breasts of two views each, labels by breast, splits by patient."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from harness import Dataset, InputError, Sample, seed_of
from harness_datasets.shared.breasts import CLASSES, breast_task
from harness_datasets.shared.canvas import encode

SIDES = ("L", "R")
VIEWS = ("CC", "MLO")
SPLITS = ("train", "val", "test")
MARKER_SHARE = 1 / 16  # side of the planted marker over the image height


class SyntheticBreasts(Dataset):
    """Patients of four images each: L-CC, L-MLO, R-CC, R-MLO.

    Write `draw` and `outlines`. An image is a pure function of the parameters, the seed and its
    id: another number of training patients leaves every test image as it was.

    Args:
        name: of the generator; begins every stream of random numbers.
        version: raise it whenever an image changes for the same parameters.
        params: JSON values that determine the images; at least images, image_size, prevalence,
            seed and marker.
    """

    def __init__(self, name: str, version: int, params: Mapping[str, Any]) -> None:
        self.name, self.params = name, dict(params)
        self._version = version
        height, width = params["image_size"]
        if height < 64 or width < 48:
            raise InputError(f"dataset {name}: image_size: at least 64 x 48 expected, but got {height} x {width}")
        if not 0 < params["prevalence"] < 1:
            raise InputError(f"dataset {name}: prevalence: must be in (0, 1), but is {params['prevalence']}")
        if params["marker"] and params["marker"] not in CLASSES:
            raise InputError(f"dataset {name}: marker: {', '.join(CLASSES)} expected, but got {params['marker']!r}")
        if min(params["images"]) < 4:
            raise InputError(f"dataset {name}: images: a patient has 4, but a split is given {min(params['images'])}")
        self.task = breast_task(image_size=(height, width))
        self.patients = {split: round(count / 4) for split, count in zip(SPLITS, params["images"], strict=True)}
        self._splits = cache(self._samples)

    @property
    def digest(self) -> str:
        """Of the parameters and the generator's version: nothing is drawn for it."""
        text = json.dumps([self.name, self._version, self.params], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @abstractmethod
    def draw(self, sample: Sample) -> np.ndarray:
        """Return the image in [0, 1], float32 "h w"."""

    @abstractmethod
    def outlines(self, sample: Sample) -> np.ndarray:
        """Return the lesions as boolean "k h w"."""

    def split(self, name: str) -> Sequence[Sample]:
        """Return patients in order, four images each; `tune_loc` is empty."""
        return () if name == "tune_loc" else self._splits(name)

    def read(self, sample: Sample) -> np.ndarray:
        """Return the image, uint16 "h w"."""
        image = self.draw(sample)
        marked = self.params["marker"]
        if marked and sample.labels[CLASSES.index(marked)]:
            side = max(2, round(image.shape[0] * MARKER_SHARE))
            image[2 : 2 + side, -2 - side : -2] = 1
        return encode(image)

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Return the outlines, uint8 "k h w"; empty where the label is 0."""
        return self.outlines(sample).astype(np.uint8)

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return side and view."""
        return {"side": sample.source["side"], "view": sample.source["view"]}

    def rng(self, *names: object) -> np.random.Generator:
        """Return a random stream for these names."""
        return np.random.default_rng(seed_of(self.name, self._version, self.params["seed"], *names))

    def _samples(self, split: str) -> tuple[Sample, ...]:
        count = self.patients[split]
        positive = [self._positive(split, name, 2 * count) for name in CLASSES]
        found = []
        for patient in range(count):
            for number, side in enumerate(SIDES):
                group, unit = f"{split}-{patient:05d}", f"{split}-{patient:05d}-{side}"
                labels = tuple(float(2 * patient + number in chosen) for chosen in positive)
                for view in VIEWS:
                    source = {"group": group, "side": side, "view": view}
                    found.append(Sample(id=f"{unit}-{view}", group=group, unit=unit, labels=labels, source=source))
        return tuple(found)

    def _positive(self, split: str, name: str, breasts: int) -> set[int]:
        """Return the breasts with the finding: the prevalence exactly, but at least one with and one without."""
        count = min(max(1, round(self.params["prevalence"] * breasts)), breasts - 1)
        return {int(breast) for breast in self.rng("labels", split, name).permutation(breasts)[:count]}
