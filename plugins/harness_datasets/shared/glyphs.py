"""Handwritten digits, shared out so that no glyph is in two splits. Only numpy and scipy once loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from harness import InputError, seed_of

SHARES: Mapping[str, tuple[float, float]] = {"train": (0, 0.6), "val": (0.6, 0.8), "test": (0.8, 1)}
TARGET_DIGITS = (3, 5)
MNIST = "digits/digits_t10k.npz"
NEAREST = 8
BANDS = 7


@dataclass(frozen=True)
class Glyphs:
    """All glyphs at one size, and which of them a split may use.

    Args:
        digits: what each glyph says, "n".
        ink: coverage in [0, 1], float32 "n h w".
        members: split -> digit -> numbers of glyphs.
        alike: number of a target glyph -> those distractors of its split nearest in ink.
    """

    digits: np.ndarray
    ink: np.ndarray
    members: Mapping[str, Mapping[int, np.ndarray]]
    alike: Mapping[int, np.ndarray]

    def target(self, rng: np.random.Generator, split: str, digit: int) -> int:
        """Draw a glyph of this digit."""
        return int(rng.choice(self.members[split][digit]))

    def stand_in(self, rng: np.random.Generator, split: str, digit: int) -> int:
        """Draw a distractor with about as much ink and rim as a glyph of this digit."""
        return int(rng.choice(self.alike[self.target(rng, split, digit)]))

    def distractor(self, rng: np.random.Generator, split: str) -> int:
        """Draw a glyph of any digit that is no target."""
        digits = [digit for digit in range(10) if digit not in TARGET_DIGITS]
        return int(rng.choice(self.members[split][digits[int(rng.integers(len(digits)))]]))


def load_glyphs(root: Path, source: str, side_px: int) -> Glyphs:
    """Load the glyphs of `source` ("sklearn" or "mnist"), each `side_px` high and wide.

    Raises:
        InputError: the file of "mnist" is not below the data root.
    """
    ink, digits = load_ink(root, source, side_px)
    members = shared_out(digits)
    features = _features(ink)
    alike = {}
    for by_digit in members.values():
        others = np.concatenate([numbers for digit, numbers in by_digit.items() if digit not in TARGET_DIGITS])
        for target in np.concatenate([by_digit[digit] for digit in TARGET_DIGITS]):
            distances = ((features[others] - features[target]) ** 2).sum(1)
            alike[int(target)] = others[np.argsort(distances, kind="stable")[:NEAREST]]
    return Glyphs(digits, ink, members, alike)


def load_ink(root: Path, source: str, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Load each glyph's ink in [0, 1], "n h w", and its digit, "n".

    Raises:
        InputError: the file of "mnist" is not below the data root.
    """
    from scipy.ndimage import zoom

    raw, digits = _mnist(root) if source == "mnist" else _sklearn()
    return np.clip(zoom(raw, (1, side_px / raw.shape[1], side_px / raw.shape[2]), order=1), 0, 1), digits


def shared_out(digits: np.ndarray) -> Mapping[str, Mapping[int, np.ndarray]]:
    """Return the numbers of the glyphs that each split may use, by digit."""
    return {split: {digit: _share(digits, digit, *share) for digit in range(10)} for split, share in SHARES.items()}


def _share(digits: np.ndarray, digit: int, low: float, high: float) -> np.ndarray:
    """Return the part of one digit's glyphs between two fractions of a fixed shuffle."""
    numbers = np.flatnonzero(digits == digit)
    shuffled = np.random.default_rng(seed_of("needle_digits", "handwriting", digit)).permutation(numbers)
    return shuffled[round(low * len(numbers)) : round(high * len(numbers))]


def _features(ink: np.ndarray) -> np.ndarray:
    """Compute global statistics of each glyph: ink, its square, rims, power in bands; in standard deviations."""
    rise, run = np.gradient(ink, axis=(1, 2))
    rims = [(rise**2).sum((1, 2)), (run**2).sum((1, 2))]
    side = 2 * ink.shape[1]  # padded, as on a canvas
    power = np.abs(np.fft.rfft2(ink, (side, side))) ** 2
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    edges = np.geomspace(1 / side, 0.5, BANDS + 1)
    bands = [power[:, (low < frequency) & (frequency <= high)].mean(1) for low, high in pairwise(edges)]
    tail = np.quantile(ink, [0.7, 0.8, 0.9, 0.97], axis=(1, 2))
    found: np.ndarray = np.stack([ink.sum((1, 2)), (ink**2).sum((1, 2)), *rims, *np.log(bands), *tail], 1)
    return np.asarray((found - found.mean(0)) / found.std(0))


def _sklearn() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.images.astype(np.float32) / 16, found.target


def _mnist(root: Path) -> tuple[np.ndarray, np.ndarray]:
    path = root / MNIST
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["images"].astype(np.float32) / 255, file["labels"].astype(int)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f'{path}: digits = "mnist" needs this file below the data root: {error}') from error
