"""Exact and near duplicates among images: a hash finds candidates, local detail confirms them.

A hash alone matches two mammograms with one outline, and correlation alone two films in one frame.
A copy agrees in its fine detail nearly everywhere. Uses numpy, scipy and Pillow only; works on
decoded images without labels or splits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_BITS = 64
"""Largest Hamming distance of a candidate, of 255 bits; unrelated images differ in 127 +- 8."""
LEAST_AGREEMENT = 0.45
"""Lowest agreement of a near duplicate; different films in one frame reach .39 (mini-MIAS), other images .05."""
SIDE, HASH_SIDE, BLOCKS = 64, 16, 8
DETAIL = 1.5  # sigma of the smooth part that is subtracted, in thumbnail pixels
FLAT = 0.01  # a block is flat where three quarters of its detail are below this share of the image's spread
FEWEST_BLOCKS = 8
ROWS_AT_ONCE, PAIRS_AT_ONCE = 256, 2048

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of images.

    Args:
        digests: of shape and pixels.
        hashes: "n 4" uint64, the last bit unused.
        details: "n block pixel" float16, each block with mean 0 and length 1.
        textured: "n block", True if a block has detail.
    """

    digests: tuple[bytes, ...]
    hashes: npt.NDArray[np.uint64]
    details: npt.NDArray[np.float16]
    textured: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Pairs of duplicates by image number, `first` < `second`.

    Args:
        first: "p".
        second: "p".
        exact: "p", True if every pixel is equal.
        agreement: "p", in [-1, 1]: three quarters of the textured blocks correlate at least this much; 1 if exact.
    """

    first: Integers
    second: Integers
    exact: npt.NDArray[np.bool_]
    agreement: Floats

    def __len__(self) -> int:
        return len(self.first)


def fingerprints(images: Iterable[npt.NDArray[np.unsignedinteger[Any]]]) -> Fingerprints:
    """Compute digest, perceptual hash and detail of each image; one is in memory at a time.

    The hash is a DCT hash with 16 x 16 - 1 coefficients in place of 8 x 8.

    Args:
        images: "h w" or "h w c", uint8 or uint16.

    Source: Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", section 3.2.1.
    """
    digests, hashes, details, textured = [], [], [], []
    for image in images:
        digests.append(hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).digest())
        small = _thumbnail(image)
        hashes.append(_hash(small))
        detail, has_texture = _details(small)
        details.append(detail)
        textured.append(has_texture)
    count, size = len(digests), (SIDE // BLOCKS) ** 2
    return Fingerprints(
        tuple(digests),
        np.array(hashes, np.uint64).reshape(count, HASH_SIDE**2 // 64),
        np.array(details, np.float16).reshape(count, BLOCKS**2, size),
        np.array(textured, bool).reshape(count, BLOCKS**2),
    )


def find_pairs(known: Fingerprints) -> Pairs:
    """Return every pair of exact or near duplicates.

    An image with fewer than 8 textured blocks of 64 has too little detail for a near duplicate;
    it can still be an exact one.
    """
    first, second = _same(known.digests)
    parts: list[tuple[npt.NDArray[Any], ...]] = [(first, second, np.ones(len(first), bool), np.ones(len(first)))]
    _, kinds = np.unique(np.array(known.digests, "S32"), return_inverse=True) if known.digests else ((), np.empty(0))
    for one, other in _candidates(known.hashes):
        one, other = one[kinds[one] != kinds[other]], other[kinds[one] != kinds[other]]
        found = agreement(known, one, other)
        near = found >= LEAST_AGREEMENT
        parts.append((one[near], other[near], np.zeros(int(near.sum()), bool), found[near]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return Pairs(*(column[order] for column in columns))


def agreement(known: Fingerprints, first: Integers, second: Integers) -> Floats:
    """Return the lower quartile over blocks of the correlation of their detail, "p"; 0 if there is too little detail.

    A block counts if either image has texture in it. The quartile requires agreement over the whole image: a
    burned-in mark may differ, but a common frame or outline is not enough.
    """
    found = np.zeros(len(first))
    for start in range(0, len(first), PAIRS_AT_ONCE):
        one, other = first[start : start + PAIRS_AT_ONCE], second[start : start + PAIRS_AT_ONCE]
        a, b = known.details[one].astype(np.float32), known.details[other].astype(np.float32)
        blocks = np.einsum("pbx,pbx->pb", a, b)
        counted = known.textured[one] | known.textured[other]
        number = counted.sum(1)
        ordered = np.sort(np.where(counted, blocks, np.inf), axis=1)
        quartile = ordered[np.arange(len(one)), np.maximum(number - 1, 0) // 4]
        found[start : start + PAIRS_AT_ONCE] = np.where(number >= FEWEST_BLOCKS, quartile, 0)
    return found


def _thumbnail(image: npt.NDArray[np.unsignedinteger[Any]]) -> Floats:
    """Return a grey 64 x 64 image with mean 0 and deviation 1 (0 if the image is flat)."""
    from PIL import Image

    grey = image if image.ndim == 2 else image.mean(2)
    resized = Image.fromarray(grey.astype(np.float32)).resize((SIDE, SIDE), Image.Resampling.BOX)
    small = np.asarray(resized, np.float64)
    small = small - small.mean()
    spread = small.std()
    return small / spread if spread > 1e-9 else np.zeros_like(small)


def _hash(small: Floats) -> npt.NDArray[np.uint64]:
    from scipy.fft import dctn

    half = small.reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
    low = dctn(half, norm="ortho")[:HASH_SIDE, :HASH_SIDE].ravel()[1:]
    bits = np.append(low > np.median(low), False)
    return np.packbits(bits).view(np.uint64)


def _details(small: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    from scipy.ndimage import gaussian_filter

    edge = SIDE // BLOCKS
    fine = small - gaussian_filter(small, DETAIL)
    blocks = fine.reshape(BLOCKS, edge, BLOCKS, edge).swapaxes(1, 2).reshape(BLOCKS**2, edge**2)
    textured = np.percentile(np.abs(blocks), 25, axis=1) > FLAT
    blocks = blocks - blocks.mean(1, keepdims=True)
    return blocks / np.maximum(np.linalg.norm(blocks, axis=1, keepdims=True), 1e-9), textured


def _same(digests: tuple[bytes, ...]) -> tuple[Integers, Integers]:
    """Return pairs of equal digests."""
    members: dict[bytes, list[int]] = {}
    for number, digest in enumerate(digests):
        members.setdefault(digest, []).append(number)
    pairs = [np.array(found)[np.vstack(np.triu_indices(len(found), 1))] for found in members.values() if len(found) > 1]
    first, second = np.hstack(pairs) if pairs else np.empty((2, 0), int)
    return first, second


def _candidates(hashes: npt.NDArray[np.uint64]) -> Iterator[tuple[Integers, Integers]]:
    """Yield pairs with close hashes; 10,000 images take about a second."""
    for start in range(0, len(hashes), ROWS_AT_ONCE):
        rows, others = hashes[start : start + ROWS_AT_ONCE], hashes[start:]
        apart = np.zeros((len(rows), len(others)), np.uint16)
        for word in range(hashes.shape[1]):
            apart += np.bitwise_count(rows[:, word, None] ^ others[None, :, word])
        first, second = np.nonzero(np.triu(apart <= MOST_BITS, 1))
        if len(first):
            yield first + start, second + start
