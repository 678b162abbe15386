"""What a film has round the breast: frames, and the wrong polarity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness_datasets.manifest.mammograms.reduced import block_means, factor, otsu

UNIFORM = 0.95
"""Share of a row or column that a frame fills."""
WHITE, BLACK = 0.98, 0.02
"""Of the image's range: a frame is above or below."""
WIDEST = 0.15
"""Share of a side; what is wider is no frame but background."""
SMOOTHER = 0.8
"""The background of an inverted film has at most this share of the roughness of all else: up to .57 was measured, and
1.75 or more of films that are not inverted (167 images, their own and inverted)."""
AROUND = 0.2
"""Least share of the border that the background of an inverted film takes; .32 or more was measured."""
_ROUNDS = 4


def inside_frame(grey: np.ndarray) -> tuple[slice, slice]:
    """Return rows and columns within a white or black frame of an image "h w"; all of them if there is none."""
    low, high = float(grey.min()), float(grey.max())
    white, black = grey >= low + WHITE * (high - low), grey <= low + BLACK * (high - low)
    rows, columns = slice(0, grey.shape[0]), slice(0, grey.shape[1])
    for _ in range(_ROUNDS):
        before = rows, columns
        for of in (white, black):
            rows = _peeled(of[:, columns].mean(1) >= UNIFORM, rows)
            columns = _peeled(of[rows].mean(0) >= UNIFORM, columns)
        if (rows, columns) == before:
            break
    return rows, columns


def is_inverted(grey: np.ndarray) -> bool:
    """Return True if a mammogram "h w" is bright where no breast is: its bright part is smooth and at the border."""
    from scipy.ndimage import gaussian_filter

    inner = grey[inside_frame(grey)]
    small = block_means(inner, factor(inner.shape))
    if small.max() <= small.min():
        return False
    bright = small > otsu(small)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    rough = np.abs(small - gaussian_filter(small, 2.0))
    return bool(border.mean() > AROUND and np.median(rough[bright]) < SMOOTHER * np.median(rough[~bright]))


def _peeled(uniform: npt.NDArray[np.bool_], part: slice) -> slice:
    """Return the part without the uniform lines at its ends, unless they are too many for a frame."""
    most = WIDEST * len(uniform)
    lines = uniform[part]
    if lines.all():
        return part
    first, last = int(np.argmin(lines)), int(np.argmin(lines[::-1]))
    return slice(part.start + (first if first <= most else 0), part.stop - (last if last <= most else 0))
