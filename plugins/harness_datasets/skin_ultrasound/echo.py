"""Layers, edges, speckle and histogram of a skin image, on arrays alone."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
FLOOR_DB = -55.0


def layer_of(edges: Floats, y: Floats) -> np.ndarray:
    """Return the number of each pixel's layer, "h w", from 0 at the top."""
    found: np.ndarray = (y[None] >= edges[:, None, :]).sum(0)
    return found


def wave(rng: np.random.Generator, x: Floats, height: float) -> Floats:
    """Return a smooth undulation of about this height, "w"."""
    turns, phases = rng.uniform(0.5, 2.5, 2), rng.uniform(0, 2 * np.pi, 2)
    return np.asarray(height / 2 * np.sin(2 * np.pi * turns[:, None] * x + phases[:, None]).sum(0), np.float32)


def ramp(distance: np.ndarray) -> Floats:
    """Return the coverage of a pixel from the distance of its centre to an edge in pixels, positive inside."""
    return np.clip(distance + 0.5, 0, 1).astype(np.float32)


def speckle_db(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Return fully developed speckle in decibel: the size of a complex Gaussian field, blurred across the beam.

    Source: Burckhardt 1978, IEEE Transactions on Sonics and Ultrasonics 25(1) (Rayleigh statistics).
    """
    field = rng.standard_normal((2, *size), np.float32)
    for shift, axis in ((1, 2), (2, 2), (1, 1)):
        field = field + 0.7 * np.roll(field, shift, axis)
    field /= field.std()
    return np.asarray(10 * np.log10(np.maximum((field**2).sum(0), 10 ** (FLOOR_DB / 10))), np.float32)


def with_histogram(values: Floats, rng: np.random.Generator) -> Floats:
    """Map the values' ranks to a random curve of grey values: the histogram is then independent of the class."""
    low, high, bend = rng.uniform(0, 0.04), rng.uniform(0.85, 1.0), rng.uniform(1.3, 2.0)
    order = np.empty(values.size, np.float32)
    order[values.ravel().argsort(kind="stable")] = (np.arange(values.size, dtype=np.float32) + 0.5) / values.size
    return np.asarray(low + (high - low) * order**bend, np.float32).reshape(values.shape)
