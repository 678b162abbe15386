"""Side of the patch, and the named options. Free of torch."""

from typing import Literal

Maps = Literal["released", "smooth"]
Score = Literal["global", "local", "mean", "fusion"]

PATCH_PER_HEIGHT = 512 / 2944
"""Side of the patch as a share of the image's height, in the paper's configuration."""


def patch_side(image_size: tuple[int, int], patch_px: int | None) -> int:
    """Return the patch's side in pixels, by default the published share of the height."""
    return max(1, round(PATCH_PER_HEIGHT * image_size[0])) if patch_px is None else patch_px
