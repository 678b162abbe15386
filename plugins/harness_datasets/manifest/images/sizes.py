"""Images brought to the size and the channels of a task."""

from __future__ import annotations

from typing import Literal

import numpy as np

Fit = Literal["stretch", "pad"]
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow


def bring_to(image: np.ndarray, image_size: tuple[int, int], channels: int, fit: Fit) -> np.ndarray:
    """Resize an image to `image_size` with 1 ("h w") or 3 channels ("h w 3"), antialiased; dtype and range stay.

    Args:
        image: "h w" or "h w 3", uint8 or uint16.
        image_size: height and width in pixels.
        channels: colour becomes luminance, grey is repeated.
        fit: stretch to the size, or keep the aspect and pad right and below with 0.
    """
    if image.ndim == 3 and channels == 1:
        image = np.round(image @ np.array(_LUMINANCE, np.float32)).astype(image.dtype)
    layers = image[:, :, None] if image.ndim == 2 else image
    drawn = [_resized(layers[:, :, number].astype(np.float32), image_size, fit) for number in range(layers.shape[2])]
    found = np.clip(np.round(np.stack(drawn, 2)), 0, np.iinfo(image.dtype).max).astype(image.dtype)
    return found[:, :, 0] if channels == 1 else np.broadcast_to(found, (*image_size, 3)).copy()


def inner_size(shape: tuple[int, ...], image_size: tuple[int, int], fit: Fit) -> tuple[int, int]:
    """Return the height and width that an image of this shape takes within `image_size`."""
    if fit == "stretch":
        return image_size
    scale = min(image_size[0] / shape[0], image_size[1] / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def padded_size(shape: tuple[int, ...], image_size: tuple[int, int], fit: Fit) -> tuple[int, int]:
    """Return the height and width of an image of this shape with the padding of `fit`, before it is resized."""
    height, width = shape[:2]
    if fit == "stretch":
        return height, width
    scale = max(height / image_size[0], width / image_size[1])
    return max(height, round(scale * image_size[0])), max(width, round(scale * image_size[1]))


def padded(layer: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Pad a layer "h w" with 0 to the right and below."""
    return np.pad(layer, ((0, image_size[0] - layer.shape[0]), (0, image_size[1] - layer.shape[1])))


def _resized(layer: np.ndarray, image_size: tuple[int, int], fit: Fit) -> np.ndarray:
    from PIL import Image

    inner = inner_size(layer.shape, image_size, fit)
    if layer.shape != inner:
        # Pillow widens its filter when it shrinks, which is what keeps fine detail from aliasing.
        how = Image.Resampling.BILINEAR
        layer = np.asarray(Image.fromarray(layer).resize((inner[1], inner[0]), how))
    return padded(layer, image_size)
