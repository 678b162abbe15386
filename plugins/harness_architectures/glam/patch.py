"""Side of the patch. Free of torch."""

PATCH_PER_HEIGHT = 512 / 2944
"""Side of the patch as a share of the image's height, in the paper's configuration."""


def patch_side(image_size: tuple[int, int], patch_px: int | None) -> int:
    """The patch's side in pixels: the published share of the height where none is given."""
    return max(1, round(PATCH_PER_HEIGHT * image_size[0])) if patch_px is None else patch_px
