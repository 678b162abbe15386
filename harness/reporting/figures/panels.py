"""Panels of a gallery, drawn with numpy and Pillow: image with outline, patches with attention, map of a class.

matplotlib takes fifty times as long for the same picture.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from harness.metrics.maps.grid import resize_nearest
from harness.statistics.arrays import Array

LONGEST_PX = 300
"""Longer side of a panel; the page shows it at half this size, so that it is sharp on a phone."""
MOST_FRAMES = 36
"""Number of patches above which they are coloured by weight, because weights in frames become illegible."""
OUTLINES = ((0, 166, 224), (240, 60, 192), (63, 196, 26), (224, 168, 0), (162, 123, 240))
OUTLINE_NAMES = ("blue", "pink", "green", "ochre", "violet")
"""Names of the outlines' colours, in the order of the classes."""
_BOX, _INK = (255, 214, 0), (255, 255, 255)


def base_of(overlays: Mapping[str, Array], image: int) -> Array:
    """Return the picture as RGB "h w 3" at the panels' size; grey ones span their darkest to brightest pixel."""
    picture = overlays["images"][image]
    if picture.ndim == 2:
        values = picture.astype(np.float32)
        low, high = values.min(), values.max()
        picture = ((values - low) * (255 / max(high - low, 1))).astype(np.uint8)
    height, width = picture.shape[:2]
    scale = LONGEST_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(picture).convert("RGB").resize(size, how))


def outlined(base: Array, masks: Array) -> Array:
    """Return the picture with the true outline of each class.

    Args:
        base: "h w 3".
        masks: "k i j" of 0 and 1, of any size.
    """
    picture = base.copy()
    for k, mask in enumerate(masks):
        if mask.any():
            picture[_edge(resize_nearest(mask, (base.shape[0], base.shape[1])) > 0)] = OUTLINES[k % len(OUTLINES)]
    return picture


def heated(base: Array, saliency: Array, top: float) -> Array:
    """Return the picture under a map: transparent at 0, bright yellow at `top`; cells stay rectangles.

    Args:
        base: "h w 3".
        saliency: "i j".
        top: the value of full colour; above 0.
    """
    values = resize_nearest(saliency.astype(np.float32), (base.shape[0], base.shape[1]))
    share = np.clip(values / top, 0, 1)
    colours = _heat()[(share * 255).astype(np.uint8)]
    opacity = 0.75 * share[..., None]
    mixed: Array = (base * (1 - opacity) + colours * opacity).astype(np.uint8)
    return mixed


def boxed(base: Array, boxes: Array, attention: Array | None, size: tuple[int, int]) -> Array:
    """Return the picture with the patches that the model looked at, each with its attention if it has one.

    Args:
        base: "h w 3".
        boxes: "m 4", x0 y0 x1 y1 in pixels of a picture of `size`.
        attention: "m" weights that sum to 1.
        size: height and width that the boxes are in.
    """
    scale = base.shape[1] / size[1], base.shape[0] / size[0]
    image = Image.fromarray(base)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=15)
    weights = np.full(len(boxes), np.nan) if attention is None else attention
    for place in np.argsort(np.nan_to_num(weights)):  # the heaviest last: on top
        x0, y0, x1, y1 = boxes[place]
        frame = (x0 * scale[0], y0 * scale[1], x1 * scale[0] - 1, y1 * scale[1] - 1)
        width = 1 + round(4 * float(np.nan_to_num(weights[place])))
        draw.rectangle(frame, outline=_BOX, width=width)
    for place in np.argsort(np.nan_to_num(weights)):
        if not np.isnan(weights[place]):
            corner = (boxes[place][0] * scale[0] + 4, boxes[place][1] * scale[1] + 2)
            text = f"{weights[place]:.2f}".removeprefix("0")
            draw.text(corner, text, fill=_INK, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(image)


def stitched(boxes: Array, attention: Array, size: tuple[int, int]) -> Array:
    """Return a map "h w" of attention: each patch "m 4" has its weight "m"; where patches overlap, the highest."""
    found = np.zeros(size)
    for place in np.argsort(attention):
        x0, y0, x1, y1 = boxes[place].round().astype(int)
        found[y0:y1, x0:x1] = attention[place]
    return found


def webp(picture: Array, quality: int = 78) -> bytes:
    """Return the picture as WebP."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="webp", quality=quality, method=0)
    return buffer.getvalue()


def _edge(inside: Array) -> Array:
    """Return the two outermost pixels inside a region; it is closed at the picture's border."""
    from scipy.ndimage import binary_erosion

    border: Array = inside & ~binary_erosion(inside, iterations=2)
    return border


@cache
def _heat() -> Array:
    """Return 256 colours "256 3" from dark violet to bright yellow: inferno without its black end."""
    from matplotlib import colormaps

    colours: Array = 255 * colormaps["inferno"](np.linspace(0.25, 1, 256))[:, :3]
    return colours
