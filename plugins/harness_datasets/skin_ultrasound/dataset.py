"""`skin_ultrasound`: layered skin as high-frequency ultrasound shows it, with a grey-coded map of its layers.

Not a physical simulation, and the classes are invented: they borrow the names of a published data set's folders, not
the look of its images. It serves to test methods, not to claim anything about patients.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np

from harness import Dataset, InputError, Sample, Task, seed_of
from harness_datasets.shared.canvas import Ellipse, coverage, encode
from harness_datasets.skin_ultrasound.echo import Floats, layer_of, ramp, speckle_db, wave, with_histogram

VERSION = 1
CLASSES = ("ad", "ps", "cg", "st")
SPLITS = ("test", "val", "train")  # patients are counted in this order: more for training change no test image
VIEWS = 2
SMALLEST, LARGEST = 64, 1024

Piece = Literal["band", "line", "nodule"]

RAISED: Mapping[str, frozenset[Piece]] = {
    "ad": frozenset({"band"}),
    "ps": frozenset({"band", "nodule"}),
    "cg": frozenset(),
    "st": frozenset({"nodule"}),
}
"""Class -> the pieces that lie beneath the entry echo; the others lie above the fascia's echo, its mirror image."""
GREY = (0, 32, 255, 128, 64, 32, 32, 0)
"""From the top: gel, film, entry echo, upper dermis, dermis, fascia's echo, film, what lies below."""
ECHO_DB = (-36.0, -20.0, 0.0, -13.0, -13.0, 0.0, -20.0, -36.0)
OUTER, FILM, ECHO = (0.13, 0.2), (0.02, 0.03), (0.045, 0.065)
"""Least and largest thickness over the image's height, at the top and at the bottom alike."""
MIDDLE = 0.4, 0.6  # where upper dermis ends, between the two echoes
HALVES: Mapping[Piece, tuple[float, float]] = {"band": (0.022, 0.03), "nodule": (0.04, 0.05), "line": (0.012, 0.016)}
"""Least and largest half thickness over the image's height."""
AWAY: Mapping[Piece, float] = {"band": 0.016, "nodule": 0.076}  # from the echo: the nodule lies beyond the band


class SkinUltrasound(Dataset):
    """See `harness_datasets.skin_ultrasound.component.build_skin_ultrasound` for the parameters.

    Every image holds a dark band and a dark nodule, each beneath the entry echo or above the echo of the fascia, as the
    class says. Seen upside down an image is one of another class: half a turn leaves grey values and power spectrum as
    they are, so that these hardly tell. Grey values are brought to a histogram drawn independently of the class.
    """

    def __init__(self, task: Task, params: Mapping[str, Any]) -> None:
        self.task, self.params = task, dict(params)
        self.patients = {name: count // VIEWS for name, count in zip(SPLITS[::-1], params["images"], strict=True)}
        self._check()
        self._splits = cache(self._samples)

    @property
    def digest(self) -> str:
        """Of the parameters and the generator's version: nothing is drawn for it."""
        text = json.dumps(["skin_ultrasound", VERSION, self.params], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def split(self, name: str) -> Sequence[Sample]:
        """Return patients in order, two images each; `tune_loc` is empty."""
        return () if name == "tune_loc" else self._splits(name)

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return the number of the image among the patient's."""
        return {"view": float(sample.source["view"])}

    def read(self, sample: Sample) -> np.ndarray:
        """Return the image, uint16 "h w": speckle over the echo of layers and pieces, log-compressed."""
        rng = self._rng("image", sample.id)
        edges, echo = self._edges(sample), self._rng("patient", sample.group, "echo")
        levels = np.array(ECHO_DB) + echo.uniform(-2, 2, len(ECHO_DB))
        decibel = levels.astype(np.float32)[layer_of(edges, self._y)]
        contrast, bright = np.array([16, 2]) - np.array([9, 5]) * float(self.params["difficulty"])
        pieces = self._pieces(sample)
        decibel -= np.float32(contrast) * np.maximum(pieces["band"], pieces["nodule"])
        decibel += (np.maximum(decibel, np.float32(bright)) - decibel) * pieces["line"]
        decibel += self._streaks(rng)
        return encode(with_histogram(decibel + speckle_db(rng, decibel.shape), rng))

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Return the layers in grey code, uint8 "k h w"; zeros for the classes that the image does not have."""
        layers = np.array(GREY, np.uint8)[layer_of(self._edges(sample), self._y)]
        own = self._class_of(sample)
        masks = np.zeros((len(CLASSES), *self.task.image_size), np.uint8)
        masks[CLASSES.index(own)] = layers
        return masks

    @cached_property
    def _y(self) -> Floats:
        """Depth of each row's centre over the height, "h 1"."""
        height = self.task.image_size[0]
        return np.asarray((np.arange(height, dtype=np.float32) + 0.5) / height, np.float32)[:, None]

    @cached_property
    def _x(self) -> Floats:
        """Place of each column's centre over the width, "w"."""
        width = self.task.image_size[1]
        return np.asarray((np.arange(width, dtype=np.float32) + 0.5) / width, np.float32)

    def _edges(self, sample: Sample) -> Floats:
        """Return the depth of the seven borders between layers, "7 w": thicknesses by patient, waves by image."""
        patient, rng = self._rng("patient", sample.group, "layers"), self._rng("edges", sample.id)
        sides = []
        for _ in range(2):  # top and bottom, drawn alike
            outer, film, echo = (patient.uniform(*span) * rng.uniform(0.96, 1.04) for span in (OUTER, FILM, ECHO))
            sides.append(np.cumsum([outer, film, echo])[:, None] + wave(rng, self._x, 0.02))
        top, bottom = sides[0], 1 - sides[1][::-1]
        middle = top[-1] + patient.uniform(*MIDDLE) * (bottom[0] - top[-1]) + wave(rng, self._x, 0.01)
        return np.concatenate([top, middle[None], bottom]).astype(np.float32)

    def _pieces(self, sample: Sample) -> dict[Piece, Floats]:
        """Return each piece's coverage of the pixels, "h w"; the bright line lies anywhere between the echoes."""
        rng, edges = self._rng("pieces", sample.id), self._edges(sample)
        raised = RAISED[self._class_of(sample)]
        small = 1 - 0.35 * float(self.params["difficulty"])
        half = {name: small * rng.uniform(*span) for name, span in HALVES.items()}
        depth: dict[Piece, Floats] = {"line": edges[2] + rng.uniform(0.35, 0.65) * (edges[4] - edges[2])}
        for name, away in AWAY.items():
            depth[name] = edges[2] + away + half[name] if name in raised else edges[4] - away - half[name]
        place, other = rng.uniform(0.25, 0.75, 2)
        within = ramp((rng.uniform(0.2, 0.35) - np.abs(self._x - other)) * self.task.image_size[1])
        return {
            "band": self._strip(depth["band"], half["band"]),
            "nodule": self._nodule(rng, depth["nodule"], place, half["nodule"]),
            "line": self._strip(depth["line"], half["line"]) * within,
        }

    def _strip(self, depth: Floats, half: float) -> Floats:
        """Return a strip of this half thickness along `depth`, over the whole width."""
        return ramp((half - np.abs(self._y - depth)) * self.task.image_size[0])

    def _nodule(self, rng: np.random.Generator, depth: Floats, place: float, half: float) -> Floats:
        height, width = self.task.image_size
        aspect, lobes = rng.uniform(1.1, 1.5), tuple(float(part) for part in rng.uniform(-0.08, 0.08, 3))
        radius = half * height * np.sqrt(aspect)
        centre = float(depth[int(place * width)]) * height
        shape = Ellipse(place * width, centre, radius, aspect, 0.0, lobes, float(rng.uniform(0, 6)), edge=1.5)
        return coverage([shape], self.task.image_size)

    def _streaks(self, rng: np.random.Generator) -> Floats:
        """Return short bright and dark fibres in decibel; their number varies more than what a piece changes."""
        height, width = self.task.image_size
        found = np.zeros((height, width), np.float32)
        for _ in range(int(rng.integers(4, 10 + round(10 * float(self.params["difficulty"]))))):
            across, half = rng.uniform(0.03, 0.09) * width, max(0.75, rng.uniform(0.004, 0.01) * height)
            radius, aspect = float(np.sqrt(across * half)), float(across / half)
            shape = Ellipse(
                rng.uniform(0, width), rng.uniform(0.15, 0.85) * height, radius, aspect, rng.normal(0, 0.15)
            )
            found += rng.choice([-8, 8]) * coverage([shape], (height, width))
        return found

    def _rng(self, *names: object) -> np.random.Generator:
        return np.random.default_rng(seed_of("skin_ultrasound", VERSION, self.params["seed"], *names))

    def _class_of(self, sample: Sample) -> str:
        return CLASSES[sample.labels.index(1.0)]

    def _samples(self, split: str) -> tuple[Sample, ...]:
        found = []
        for number, kind in self._members(split):
            group, labels = f"p{number:05d}", tuple(float(kind == k) for k in range(len(CLASSES)))
            for view in range(VIEWS):
                sample_id, source = f"{group}-{view}", {"group": group, "view": view}
                found.append(Sample(id=sample_id, group=group, unit=sample_id, labels=labels, source=source))
        return tuple(found)

    def _members(self, split: str) -> list[tuple[int, int]]:
        """Return number and class of a split's patients."""
        folds, fold = int(self.params["folds"]), int(self.params["fold"])
        if not folds:
            return self._home(split)
        dealt: dict[str, list[tuple[int, int]]] = {"train": [], "val": [], "test": []}
        names = {fold: "test", (fold + 1) % folds: "val"}
        everyone = [member for name in SPLITS for member in self._home(name)]
        turn = 0  # goes on from class to class, so that folds differ by one patient at most
        for kind in range(len(CLASSES)):
            own = [member for member in everyone if member[1] == kind]
            for place in self._rng("folds", kind).permutation(len(own)):
                dealt[names.get(turn % folds, "train")].append(own[place])
                turn += 1
        return sorted(dealt[split])

    def _home(self, split: str) -> list[tuple[int, int]]:
        """Return the same without folds; classes are as even as the number allows."""
        first = sum(self.patients[name] for name in SPLITS[: SPLITS.index(split)])
        kinds = self._rng("classes", split).permutation(self.patients[split]) % len(CLASSES)
        return [(first + place, int(kind)) for place, kind in enumerate(kinds)]

    def _check(self) -> None:
        where, (height, width) = "dataset skin_ultrasound", self.task.image_size
        if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
            raise InputError(f"{where}: image_size: {SMALLEST} to {LARGEST} px a side, but got {height} x {width}")
        if not 0 <= self.params["difficulty"] <= 1:
            raise InputError(f"{where}: difficulty: must be in [0, 1], but is {self.params['difficulty']}")
        least, folds, fold = VIEWS * len(CLASSES), self.params["folds"], self.params["fold"]
        if min(self.params["images"]) < least:
            few = min(self.params["images"])
            raise InputError(f"{where}: images: {least} show a patient of each class, but a split is given {few}")
        if folds and (folds < 3 or not 0 <= fold < folds):
            raise InputError(f"{where}: folds: 3 or more and 0 <= fold < folds, but got {folds=}, {fold=}")
        if folds and sum(self.patients.values()) < folds * len(CLASSES):
            least = VIEWS * folds * len(CLASSES)
            raise InputError(f"{where}: folds: {folds} need {least} images in all, a patient of each class a fold")
