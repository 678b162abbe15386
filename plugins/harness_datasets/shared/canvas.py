"""Drawing tools of the generators: power-law texture, smooth shapes in pixels, 16-bit encoding. Only numpy.

Shapes are coverages in [0, 1]; a union is a maximum. Each is drawn inside its own bounding box,
so that a 2944 x 1920 canvas costs what its shapes cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FULL_SCALE = 65535


@dataclass(frozen=True)
class Ellipse:
    """A filled ellipse with a lobed rim.

    Args:
        x: centre, in pixels.
        y: centre, in pixels.
        radius: mean radius in pixels.
        aspect: long axis over short axis, at least 1.
        angle: direction of the long axis in radians.
        lobes: relative height of the rim's second, third, ... harmonic.
        phase: where the lobes begin, in radians.
        edge: width in pixels over which the coverage falls from 1 to 0.
        strength: coverage inside.
    """

    x: float
    y: float
    radius: float
    aspect: float = 1.0
    angle: float = 0.0
    lobes: tuple[float, ...] = ()
    phase: float = 0.0
    edge: float = 1.0
    strength: float = 1.0

    def draw(self, layer: np.ndarray) -> None:
        """Add the shape to a coverage layer "h w", as a union."""
        reach = self.radius * np.sqrt(self.aspect) * (1 + sum(map(abs, self.lobes))) + self.edge
        box, dx, dy = _window(layer, self.x - reach, self.y - reach, self.x + reach, self.y + reach)
        along, across = _rotated(dx - self.x, dy - self.y, self.angle)
        along, across = along / np.sqrt(self.aspect), across * np.sqrt(self.aspect)
        rim = np.full(along.shape, self.radius, np.float32)
        if self.lobes:
            turn = np.arctan2(across, along) + self.phase
            for order, height in enumerate(self.lobes, start=2):
                rim += self.radius * height * np.cos(order * turn + order * self.phase)
        _union(layer, box, (rim - np.hypot(along, across)) / self.edge + 0.5, self.strength)


@dataclass(frozen=True)
class Stroke:
    """A straight stroke with round ends whose half-width goes from `start` to `end`, in pixels."""

    x0: float
    y0: float
    x1: float
    y1: float
    start: float
    end: float
    edge: float = 1.0
    strength: float = 1.0

    def draw(self, layer: np.ndarray) -> None:
        """Add the shape to a coverage layer "h w", as a union."""
        reach = max(self.start, self.end) + self.edge
        low, high = min(self.x0, self.x1) - reach, max(self.x0, self.x1) + reach
        top, bottom = min(self.y0, self.y1) - reach, max(self.y0, self.y1) + reach
        box, px, py = _window(layer, low, top, high, bottom)
        ux, uy = self.x1 - self.x0, self.y1 - self.y0
        length = max(ux * ux + uy * uy, 1e-6)
        share = np.clip(((px - self.x0) * ux + (py - self.y0) * uy) / length, 0, 1)
        distance = np.hypot(px - self.x0 - share * ux, py - self.y0 - share * uy)
        half = self.start + (self.end - self.start) * share
        _union(layer, box, (half - distance) / self.edge + 0.5, self.strength)


Shape = Ellipse | Stroke


def coverage(shapes: Sequence[Shape], image_size: tuple[int, int]) -> np.ndarray:
    """Return the union of the shapes, float32 "h w" in [0, 1]."""
    layer = np.zeros(image_size, np.float32)
    for shape in shapes:
        shape.draw(layer)
    return layer


def power_law_texture(rng: np.random.Generator, image_size: tuple[int, int], exponent: float) -> np.ndarray:
    """Draw a Gaussian field of mean 0 and variance 1 with power 1/f^exponent, float32 "h w".

    Frequencies count cycles per image height, so that an image is as coarse at any size. Below one
    cycle the spectrum is flat. The variance is that of the ensemble; one field's own may differ.

    Source: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419 (exponent near 3 in mammograms).
    """
    height, width = image_size
    fy = np.fft.fftfreq(height, 1 / height).astype(np.float32)[:, None]
    fx = (np.fft.rfftfreq(width, 1 / width) * height / width).astype(np.float32)[None, :]
    amplitude = np.maximum(fy * fy + fx * fx, 1) ** np.float32(-exponent / 4)
    amplitude[0, 0] = 0
    # Every column but the first represents two of the full spectrum, each with a real and an imaginary part.
    amplitude /= 2 * np.sqrt((amplitude**2).sum())
    amplitude[:, 0] *= 2
    spectrum = rng.standard_normal((height, width // 2 + 1, 2), np.float32).view(np.complex64)[..., 0]
    field: np.ndarray = np.fft.irfft2(spectrum * amplitude, s=image_size) * np.float32(height * width)
    return field


def encode(image: np.ndarray) -> np.ndarray:
    """Convert values in [0, 1] to uint16 over the full range; clip all others."""
    found: np.ndarray = (np.clip(image, 0, 1) * FULL_SCALE + 0.5).astype(np.uint16)
    return found


def _window(
    layer: np.ndarray, x0: float, y0: float, x1: float, y1: float
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    height, width = layer.shape
    rows, columns = _span(y0, y1, height), _span(x0, x1, width)
    # Pixel centres are at half-integers.
    py = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    px = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + 0.5
    return (rows, columns), px, py


def _span(low: float, high: float, size: int) -> slice:
    start = min(max(0, int(low)), size)
    return slice(start, max(start, min(size, int(high) + 2)))


def _rotated(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _union(layer: np.ndarray, box: tuple[slice, slice], values: np.ndarray, strength: float = 1.0) -> None:
    layer[box] = np.maximum(layer[box], strength * np.clip(values, 0, 1))
