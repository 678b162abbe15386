"""`phantom_exams`: the phantom mammograms of a patient together, seen from each breast."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import Dataset, InputError, Sample
from harness_datasets.phantom_mammograms.dataset import PhantomMammograms
from harness_datasets.shared.breasts import exam_task
from harness_datasets.shared.patients import SIDES, SPLITS, VIEWS

VERSION = 1


class PhantomExams(Dataset):
    """See `harness_datasets.phantom_exams.component.build_phantom_exams` for the parameters.

    Patients, images and labels are those of `phantom_mammograms`; what is a unit there is a sample here.
    """

    def __init__(self, params: Mapping[str, Any], missing: float) -> None:
        if not 0 <= missing <= 1:
            raise InputError(f"dataset phantom_exams: missing: must be in [0, 1], but is {missing}")
        self._phantom, self._missing = PhantomMammograms(params), missing
        self._images = {sample.id: sample for split in SPLITS for sample in self._phantom.split(split)}
        self.task = exam_task(image_size=tuple(params["image_size"]))

    @property
    def digest(self) -> str:
        """Of the parameters and both versions: nothing is drawn for it."""
        text = json.dumps(["phantom_exams", VERSION, self._phantom.digest, self._missing])
        return hashlib.sha256(text.encode()).hexdigest()

    def split(self, name: str) -> Sequence[Sample]:
        """Return the breasts, two a patient, in order; `tune_loc` is empty."""
        images = self._phantom.split(name)
        return [
            Sample(
                id=image.unit,
                group=image.group,
                unit=image.unit,
                labels=image.labels,
                source={"group": image.group, "side": image.source["side"]},
            )
            for image in images
            if image.source["view"] == VIEWS[0]
        ]

    def read(self, sample: Sample) -> list[np.ndarray | None]:
        """Return CC and MLO of the breast, then of the other: uint16 "h w", facing right; None where one is missing."""
        side = sample.source["side"]
        return [self._read(sample.source["group"], breast, view) for breast in _both(side) for view in VIEWS]

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return the side, and which of the breast's own views is missing."""
        side = sample.source["side"]
        return {"side": side, "missing": self._lacks(sample.source["group"], side)}

    def _read(self, group: str, side: str, view: str) -> np.ndarray | None:
        if view == self._lacks(group, side):
            return None
        image = self._phantom.read(self._images[f"{group}-{side}-{view}"])
        return np.ascontiguousarray(image[:, ::-1]) if side == "R" else image

    def _lacks(self, group: str, side: str) -> str:
        """Return the view that this breast lacks, or ""; an exam lacks it for either breast's sample."""
        rng = self._phantom.rng("missing", group, side)
        return str(rng.choice(VIEWS)) if rng.random() < self._missing else ""


def _both(side: str) -> tuple[str, str]:
    return (side, SIDES[1 - SIDES.index(side)])
