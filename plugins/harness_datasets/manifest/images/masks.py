"""Mask files to masks: which pixels are inside, and what is refused because that is unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.functional import decode_layers, reduced_mask, resize_nearest
from harness_datasets.manifest.images import dicom, pictures, tiff
from harness_datasets.manifest.images.formats import decode, header, kind_of
from harness_datasets.manifest.images.sizes import Fit, inner_size, padded

HALF = 128
_NEAR_BLACK, _NEAR_WHITE = 64, 192
_SHOWN = 6


@dataclass(frozen=True)
class Inside:
    """Rule by which values of a mask are inside.

    Args:
        value: the value of the class in a label map; None for masks of one class.
        threshold: values from this on are inside; None for masks of two values.
    """

    value: int | None = None
    threshold: int | None = None


def read_mask(
    content: bytes, suffix: str, rule: Inside, seen: Callable[[int], object] = lambda value: None
) -> np.ndarray:
    """Return which pixels of a mask file are inside, "h w" bool, upright.

    Without a rule a file must hold two values, 0 and another: 0 is outside. A lossy file must be black and white,
    and is divided at half. A shape in the alpha channel alone is that shape. Of a DICOM mask whose values are shifted
    by a rescale or a sign, the darker value is outside.

    Args:
        content: of the file.
        suffix: of its name.
        rule: which values are inside.
        seen: called with the one value inside of a grey file of 8 or 16 bits: masks of a set share it, and the
            classes of a label map do not.

    Raises:
        ValueError: it has several values and none is named, or it is lossy and not black and white.
        Exception: of whatever kind its decoder raises on a damaged file.
    """
    kind = kind_of(content, suffix)
    if kind == "dicom":
        values, bright_background = dicom.drawing(content)
        return _inside(values, dicom.is_lossy(content), rule, shifted=True, falling=bright_background)
    reader = tiff if kind == "tiff" else pictures
    values, alpha = reader.drawing(content, indexed=rule != Inside())
    if alpha is not None:
        return _over_black(values, alpha, rule)
    inside = _inside(values, reader.is_lossy(content), rule)
    plain = values.ndim == 2 and not reader.is_lossy(content) and not header(content, suffix).binary
    if rule == Inside() and plain and inside.any():
        seen(int(values[inside][0]))
    return inside


def read_layers(content: bytes, suffix: str) -> np.ndarray:
    """Return a layer map, "h w" of the grey values of the code.

    Raises:
        ValueError: the file has colours or 16 bits.
    """
    mask = decode(content, suffix)
    if mask.ndim == 3 and (mask == mask[:, :, :1]).all():
        mask = mask[:, :, 0]
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(f"a layer map has grey values of 8 bits, but this one is {mask.dtype} of shape {mask.shape}.")
    return decode_layers(mask)


def union(masks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the union of masks of one image, "h w" bool.

    Raises:
        ValueError: their sizes differ.
    """
    shapes = sorted({mask.shape for mask in masks})
    if len(shapes) > 1:
        raise ValueError(f"its masks have several sizes: {', '.join(f'{h} x {w}' for h, w in shapes)}")
    return np.asarray(np.logical_or.reduce(list(masks)))


def bring_mask_to(mask: np.ndarray, image_size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Bring a mask to `image_size` by area, uint8 of 0 and 1; see `harness.metrics.functional.reduced_mask`."""
    found, _ = reduced_mask(mask, inner_size(mask.shape, image_size, fit))
    return padded(found, image_size)


def bring_layers_to(layers: np.ndarray, image_size: tuple[int, int], fit: Fit) -> np.ndarray:
    """Bring a layer map to `image_size` by nearest neighbour, because its levels have no mean."""
    return padded(resize_nearest(layers, inner_size(layers.shape, image_size, fit)), image_size)


def _inside(values: np.ndarray, lossy: bool, rule: Inside, shifted: bool = False, falling: bool = False) -> np.ndarray:
    """Return the pixels inside; see `read_mask`.

    Args:
        values: "h w", or "h w 3" of colours.
        lossy: the file's compression changes values.
        rule: which values are inside.
        shifted: neither of two values need be 0.
        falling: the higher of two values is outside.
    """
    if rule.threshold is not None:
        return np.asarray((values if values.ndim == 2 else values.max(2)) >= rule.threshold)
    if lossy:
        return _halved(values, rule)
    grey = _grey(values)
    found = np.unique(grey)
    if rule.value is not None:
        return np.asarray(grey == rule.value)
    if len(found) > 2:
        raise ValueError(
            f"holds {len(found)} values ({_listed(found)}), and none is named: `mask_values` names the value of each "
            "class of a label map, `mask_threshold` the lowest value inside"
        )
    if len(found) == 1:
        return np.full(grey.shape, found[0] != 0)
    if not shifted and found[0] != 0:
        raise ValueError(
            f"holds the values {_listed(found)}, and neither is 0: `mask_values` names the value of each class"
        )
    return np.asarray(grey == (found[0] if falling else found[1]))


def _halved(values: np.ndarray, rule: Inside) -> np.ndarray:
    """Divide a lossy mask at half.

    Raises:
        ValueError: a label map is asked for, or it is not black and white.
    """
    grey = values if values.ndim == 2 else values.max(2)
    scaled = grey / (257 if grey.max() > 255 else 1)
    between = int(((scaled >= _NEAR_BLACK) & (scaled < _NEAR_WHITE)).sum())
    white = int((scaled >= _NEAR_WHITE).sum())
    if rule.value is not None:
        raise ValueError("is compressed with loss, which changes the values of a label map: save it as PNG")
    if between > white or (not white and grey.any()):
        raise ValueError(
            f"is compressed with loss and not black and white (values up to {int(grey.max())}, {between} pixels "
            "between): save it as PNG, or set `mask_threshold`"
        )
    return np.asarray(scaled >= HALF)


def _over_black(values: np.ndarray, alpha: np.ndarray, rule: Inside) -> np.ndarray:
    """Return the pixels inside of a mask with an alpha channel: the colours that are seen over black.

    If what is seen is black, or the colours are the same everywhere, the shape is that of the alpha channel.
    """
    opaque = (alpha > 0) & (2 * alpha.astype(int) >= int(alpha.max()))
    grey = _grey(values)
    if not opaque.any() or opaque.all() or rule != Inside():
        return _inside(np.where(opaque, grey, 0), False, rule)
    if len(np.unique(grey)) == 1 or not grey[opaque].any():
        return np.asarray(opaque)
    return _inside(np.where(opaque, grey, 0), False, rule)


def _grey(values: np.ndarray) -> np.ndarray:
    """Return one number a pixel: that of equal channels, or else a code of the colour that is 0 for black."""
    if values.ndim == 2:
        return values
    if (values == values[..., :1]).all():
        return values[..., 0]
    first, second, third = (values[..., place].astype(np.int64) for place in range(3))
    return np.asarray((first << 32) + (second << 16) + third)


def _listed(found: np.ndarray) -> str:
    more = ", …" if len(found) > _SHOWN else ""
    return ", ".join(str(value) for value in found[:_SHOWN].tolist()) + more
