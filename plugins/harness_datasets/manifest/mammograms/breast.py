"""Search of the breast in a mammogram."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness_datasets.manifest.mammograms.film import inside_frame
from harness_datasets.manifest.mammograms.reduced import Mask, block_means, enlarged, factor, otsu

FAINT = 0.05
"""Of the way from background to the breast's median: darker pixels are background."""
NOISE_DEVIATIONS = 4.0
OPENING = 0.02
"""Radius over the longest side; parts connected to the breast by less are cut off: labels, film edges."""


def find_breast(image: np.ndarray) -> Mask:
    """Return the pixels of the breast, "h w": the largest bright object, filled, without thin attachments.

    A white or black frame is left out. The threshold is above the background's noise, and at least at 5 % of the way
    to the breast's median. Of an image without any contrast every pixel is breast.
    """
    grey = image if image.ndim == 2 else image.mean(2)
    inner = inside_frame(grey)
    found = np.zeros(grey.shape, bool)
    found[inner] = _largest_object(grey[inner])
    return found


def _largest_object(grey: np.ndarray) -> Mask:
    from scipy.ndimage import binary_erosion, binary_fill_holes, binary_propagation, gaussian_filter, label

    step = factor(grey.shape)
    small = gaussian_filter(block_means(grey, step), 1.0)
    if small.max() <= small.min():
        return np.ones(grey.shape, bool)
    bright = small > _threshold(small)
    radius = max(1, round(OPENING * max(small.shape)))
    core = binary_erosion(np.pad(bright, radius, "edge"), iterations=radius)[radius:-radius, radius:-radius]
    parts, count = label(core if core.any() else bright)
    largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])) if count else bright
    # Grown back as far as it was worn away and no further: a label that touches the breast stays cut off.
    grown = binary_propagation(largest, mask=bright & _within(largest, 2 * radius))
    return enlarged(binary_fill_holes(grown), step, grey.shape)


def wall_is_right(breast: Mask) -> bool:
    """Return True if the chest wall is on the right, where the breast is taller than at the nipple."""
    columns = np.flatnonzero(breast.any(0))
    if not columns.size:
        return False
    tall = breast[:, columns[0] : columns[-1] + 1].sum(0)
    edge = max(1, len(tall) // 5)
    return bool(tall[-edge:].mean() > tall[:edge].mean())


def _threshold(small: npt.NDArray[np.float32]) -> float:
    """Return a threshold above the background: its most frequent value plus noise or a share of the breast."""
    split = otsu(small)
    low, core = small[small <= split], float(np.median(small[small > split]))
    counts, edges = np.histogram(low, 128)
    peak = int(np.argmax(counts))
    background = float(edges[peak] + edges[peak + 1]) / 2
    below = background - low[low < background]
    noise = 1.4826 * float(np.median(below)) if below.size else 0.0
    return min(split, background + max(NOISE_DEVIATIONS * noise, FAINT * (core - background)))


def _within(mask: Mask, distance: int) -> Mask:
    from scipy.ndimage import binary_dilation

    found: Mask = binary_dilation(mask, iterations=distance)
    return found
