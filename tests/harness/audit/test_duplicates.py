"""Duplicates: what is a copy is found, whatever was done to it; what only looks alike is not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from harness.audit.duplicates import MOST_BITS, Fingerprints, agreement, find_pairs, fingerprints


def tissue(seed, size=(120, 96)):
    """Speckle of several scales under one outline that all images share."""
    rng = np.random.default_rng(seed)
    speckle = sum(weight * _spread(gaussian_filter(rng.normal(size=size), sigma)) for sigma, weight in ((1, 1), (4, 2)))
    y, x = np.mgrid[: size[0], : size[1]]
    inside = ((y / size[0] - 0.5) / 0.45) ** 2 + (x / size[1] / 0.8) ** 2 < 1
    return np.where(inside, np.clip(120 + 20 * speckle, 0, 255), 0).astype(np.uint8)


def _spread(values):
    return values / values.std()


def as_jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def with_caliper(image):
    marked = image.copy()
    marked[50:53, 20:60] = 255
    return marked


COPIES = {
    "jpeg": as_jpeg,
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "16 bits": lambda image: image.astype(np.uint16) * np.uint16(257),
    "burned-in caliper": with_caliper,
    "resized": lambda image: np.asarray(Image.fromarray(image).resize((80, 100)).resize((96, 120))),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_changed_copy_is_a_near_duplicate(name):
    images = [tissue(seed) for seed in range(6)]
    pairs = find_pairs(fingerprints([*images, COPIES[name](images[2])]))
    assert [(pairs.first[0], pairs.second[0])] == [(2, 6)] and len(pairs) == 1
    assert not pairs.exact[0] and pairs.agreement[0] > 0.5


def test_an_unchanged_copy_is_an_exact_one_even_of_a_flat_image():
    flat = np.full((40, 30), 7, np.uint8)
    pairs = find_pairs(fingerprints([flat, tissue(0), tissue(0), flat, flat + np.uint8(1)]))
    assert list(zip(pairs.first, pairs.second, pairs.exact, strict=True)) == [(0, 3, True), (1, 2, True)]


def test_one_outline_makes_no_duplicates():
    assert len(find_pairs(fingerprints(tissue(seed) for seed in range(40)))) == 0


def test_no_images_have_no_duplicates():
    assert len(find_pairs(fingerprints([]))) == 0


def test_candidates_and_agreement_are_what_a_plain_double_loop_finds():
    rng = np.random.default_rng(0)
    bases = [tissue(seed) for seed in range(30)]
    noisy = [np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8) for image in bases]
    known = fingerprints([*bases, *noisy])
    bits = [f"{int.from_bytes(item.tobytes()):0256b}" for item in known.hashes]
    expected = []
    for i in range(60):
        for j in range(i + 1, 60):
            apart = sum(a != b for a, b in zip(bits[i], bits[j], strict=True))
            if apart <= MOST_BITS and _slow_agreement(known, i, j) >= 0.45:
                expected.append((i, j))
    pairs = find_pairs(known)
    assert list(zip(pairs.first, pairs.second, strict=True)) == expected and len(expected) >= 30


def _slow_agreement(known: Fingerprints, i, j):
    counted = known.textured[i] | known.textured[j]
    found = [
        np.corrcoef(known.details[i, block].astype(float), known.details[j, block].astype(float))[0, 1]
        for block in np.flatnonzero(counted)
    ]
    slow = np.quantile(found, 0.25, method="lower")
    assert agreement(known, np.array([i]), np.array([j]))[0] == pytest.approx(slow, abs=2e-3)
    return slow


@pytest.mark.slow
def test_ten_thousand_images_are_searched_in_seconds():
    import time

    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, (10_000, 4)).astype(np.uint64)
    few = fingerprints(tissue(seed) for seed in range(20))
    details = np.tile(few.details, (500, 1, 1))
    hashes[5000:5020] = hashes[:20]
    digests = tuple(str(number).encode().ljust(32, b".") for number in range(10_000))
    known = Fingerprints(digests, hashes, details, np.tile(few.textured, (500, 1)))
    started = time.perf_counter()
    assert len(find_pairs(known)) == 20
    assert time.perf_counter() - started < 30
