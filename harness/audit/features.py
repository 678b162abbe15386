"""Features of a whole image that a shortcut may use, without any knowledge of lesions. Only numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
BANDS = 10
STRIP = 1 / 12  # width of a border strip and of a corner over the image's side


PARTS = ("intensity", "size", "border", "sharpness", "spectrum", "colour")


def feature_parts(image: npt.NDArray[np.unsignedinteger[Any]]) -> dict[str, Floats]:
    """Compute the features of one image by part (`PARTS`); colour only if there are several channels.

    Args:
        image: "h w" or "h w c", uint8 or uint16.
    """
    values = image.astype(np.float32) / np.iinfo(image.dtype).max
    if values.ndim == 2:
        values = values[:, :, None]
    grey = values.mean(2)
    found = {
        "intensity": _intensity(grey),
        "size": _size(grey),
        "border": _border(grey),
        "sharpness": _gradient(grey),
        "spectrum": _spectrum(grey),
    }
    if values.shape[2] > 1:
        found["colour"] = np.concatenate([values.mean((0, 1)), values.std((0, 1))])
    return found


def global_features(image: npt.NDArray[np.unsignedinteger[Any]]) -> Floats:
    """Return all features of one image as one vector."""
    return np.concatenate(list(feature_parts(image).values()))


def _intensity(grey: Floats) -> Floats:
    spread = max(float(grey.std()), 1e-6)
    standard = (grey - grey.mean()) / spread
    histogram = np.histogram(grey, bins=16, range=(0, 1))[0] / grey.size
    quantiles = np.quantile(grey, [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999])
    shape = [grey.mean(), spread, (standard**3).mean(), (standard**4).mean(), grey.min(), grey.max()]
    return np.concatenate([quantiles, shape, histogram])


def _size(grey: Floats) -> Floats:
    """Return share and extent of the foreground."""
    found = grey > 0.5 * grey.mean()
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    extent = [
        (part[-1] - part[0] + 1) / size if len(part) else 0
        for part, size in zip((rows, columns), grey.shape, strict=True)
    ]
    return np.array([found.mean(), *extent])


def _border(grey: Floats) -> Floats:
    """Return mean, deviation and maximum of the four border strips, and mean and maximum of the corners."""
    high, wide = (max(2, round(STRIP * size)) for size in grey.shape)
    strips = [grey[:high], grey[-high:], grey[:, :wide], grey[:, -wide:]]
    corners = [
        grey[rows, columns]
        for rows in (slice(0, high), slice(-high, None))
        for columns in (slice(0, wide), slice(-wide, None))
    ]
    found = [statistic(part) for part in strips for statistic in (np.mean, np.std, np.max)]
    return np.array(found + [statistic(part) for part in corners for statistic in (np.mean, np.max)])


def _gradient(grey: Floats) -> Floats:
    rise, run = np.gradient(grey)
    return np.concatenate(
        [np.log([1e-8 + (rise**2).mean(), 1e-8 + (run**2).mean()]), np.quantile(np.hypot(rise, run), [0.5, 0.9, 0.99])]
    )


def _spectrum(grey: Floats) -> Floats:
    """Return log power in bands from one cycle per image to the finest, of equal width on a log scale."""
    power = np.abs(np.fft.rfft2(grey - grey.mean())) ** 2 / grey.size
    fy, fx = np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1])[None, :]
    frequency = np.hypot(fy, fx)
    edges = np.geomspace(1 / max(grey.shape), 0.5, BANDS + 1)
    band = np.clip(np.searchsorted(edges, frequency.ravel()) - 1, 0, BANDS - 1)
    total = np.bincount(band, power.ravel(), BANDS) / np.maximum(np.bincount(band, minlength=BANDS), 1)
    return np.log(1e-8 + total)
