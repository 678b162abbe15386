"""`digit_bags` and `mnist_bags`: is there a 9 among the digits of a bag? After Ilse, Tomczak and Welling 2018.

The bag's size is drawn first and knows nothing of the labels; no digit is in two splits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness import Dataset, InputError, Sample, Task, seed_of
from harness_datasets.shared.glyphs import load_ink, shared_out

VERSION = 1
SPLITS = ("train", "val", "test")
DIMMEST = 0.6  # of a patient's digits, over full ink


class DigitBags(Dataset):
    """See `harness_datasets.digit_bags.component.build_digit_bags` and `build_mnist_bags` for the parameters.

    A bag is a pure function of the parameters, the seed and its number: other numbers of bags leave it as it was.

    Args:
        name: of the data set; begins every stream of random numbers.
        root: the data root, read for `digits = "mnist"` only.
        task: what both builders say of it.
        params: JSON values that determine the bags.
    """

    def __init__(self, name: str, root: Path, task: Task, params: Mapping[str, Any]) -> None:
        self.name, self.task, self.params, self._root = name, task, dict(params), root
        self._check()
        self._splits = cache(self._samples)

    @property
    def digest(self) -> str:
        """Of the parameters and the version; the digits' file never changes."""
        text = json.dumps([self.name, VERSION, self.params], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def prepare(self) -> None:
        """Read the digits, so that a missing file is reported before anything else."""
        assert self._ink is not None

    def split(self, name: str) -> Sequence[Sample]:
        """Return bags in order; `tune_loc` is empty."""
        return () if name == "tune_loc" else self._splits(name)

    def read(self, sample: Sample) -> np.ndarray:
        """Return the digits of one bag, uint8 "n h w"."""
        ink, _ = self._ink
        chosen = np.array(sample.source["digits"])
        return np.asarray(np.round(255 * self._exposure(sample) * ink[chosen])).astype(np.uint8)

    def metadata(self, sample: Sample) -> Mapping[str, str | float]:
        """Return the patient's exposure, if patients differ in it."""
        return {"exposure": self._exposure(sample)} if self.params["per_patient"] > 1 else {}

    def _check(self) -> None:
        wrong = []
        if min(self.params["bags"]) < 2:
            wrong.append(f"bags: 2 or more in each split expected, but got {self.params['bags']}")
        targets = self.params["targets"]
        if not targets or len(set(targets)) < len(targets) or not set(targets) < set(range(10)):
            wrong.append(f"targets: different digits from 0 to 9, not all of them, expected, but got {targets}")
        if self.params["mean"] < 1 or self.params["deviation"] < 0:
            found = f"mean={self.params['mean']}, deviation={self.params['deviation']}"
            wrong.append(f"mean: 1 or more, and deviation: 0 or more expected, but got {found}")
        if min(self.task.image_size) < 8:
            wrong.append(f"digit_px: 8 or more expected, but got {self.task.image_size[0]}")
        if wrong:
            raise InputError("\n".join(f"dataset {self.name}: {item}" for item in wrong))

    @cached_property
    def _ink(self) -> tuple[np.ndarray, Mapping[str, Mapping[int, np.ndarray]]]:
        """Ink of each digit in [0, 1], "n h w", and who may be used in a split, by digit."""
        ink, digits = load_ink(self._root, self.params["digits"], self.task.image_size[0])
        return ink, shared_out(digits)

    def _exposure(self, sample: Sample) -> float:
        if self.params["per_patient"] == 1:
            return 1.0
        return float(self._rng("patient", sample.group).uniform(DIMMEST, 1))

    def _samples(self, split: str) -> tuple[Sample, ...]:
        count, share = self.params["bags"][SPLITS.index(split)], self.params["per_patient"]
        found = []
        for number in range(count):
            digits, labels = self._draw(split, number)
            key, group = f"{split}-{number:05d}", f"{split}-p{number // share:05d}"
            found.append(Sample(id=key, group=group, unit=key, labels=labels, source={"digits": digits}))
        return tuple(found)

    def _draw(self, split: str, number: int) -> tuple[list[int], tuple[float, ...]]:
        """Draw the digits of one bag, with replacement, and return which targets are among them."""
        rng, targets, by_digit = self._rng("bag", split, number), self.params["targets"], self._ink[1][split]
        size = max(len(targets), int(rng.normal(self.params["mean"], self.params["deviation"])))
        wanted, shunned = set[int](), set[int]()
        if self.params["law"] == "balanced":
            wanted = {target for target in targets if self._positive(split, number, target)}
            shunned = set(targets) - wanted
        allowed = np.concatenate([by_digit[digit] for digit in range(10) if digit not in shunned])
        while True:
            chosen = rng.choice(allowed, size)
            present = [bool(np.isin(chosen, by_digit[target]).any()) for target in targets]
            if wanted <= {target for target, there in zip(targets, present, strict=True) if there}:
                return chosen.tolist(), tuple(map(float, present))

    def _positive(self, split: str, number: int, target: int) -> bool:
        """Return True for exactly one of two neighbouring bags, so that more bags do not change these."""
        return bool((number + self._rng("pair", split, target, number // 2).integers(2)) % 2)

    def _rng(self, *names: object) -> np.random.Generator:
        return np.random.default_rng(seed_of(self.name, VERSION, self.params["seed"], *names))
