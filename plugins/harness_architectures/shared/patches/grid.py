"""The grid of square patches of an image, without overlap, in plain numbers; `tensors` does the cutting."""

from __future__ import annotations

from dataclasses import dataclass

from harness import SizeMismatchError


@dataclass(frozen=True)
class PatchGrid:
    """The patches of one image, row by row.

    Args:
        image: height and width in pixels.
        area: height and width of the centred part that is cut up.
        patch_px: side of a patch.
    """

    image: tuple[int, int]
    area: tuple[int, int]
    patch_px: int

    @classmethod
    def of(cls, image: tuple[int, int], patch_px: int, crop: tuple[int, int] | None = None) -> PatchGrid:
        """Return the grid of an image; `crop` None takes the whole of it.

        Raises:
            ValueError: patch or crop are no lengths.
            SizeMismatchError: the crop is larger than the image, or patches do not fill it exactly.
        """
        area = image if crop is None else (crop[0], crop[1])
        what = "images" if crop is None else "a crop"
        if patch_px < 1 or min(area) < 1:
            raise ValueError(f"patches and crops have a side of 1 px or more, but got {patch_px} and {_size(area)}.")
        if area[0] > image[0] or area[1] > image[1]:
            raise SizeMismatchError(f"a crop of {_size(area)} does not fit into images of {_size(image)}.")
        if area[0] % patch_px or area[1] % patch_px:
            nearest = tuple(max(patch_px, length // patch_px * patch_px) for length in area)
            raise SizeMismatchError(
                f"patches of {patch_px} px do not fill {what} of {_size(area)}: both sides must be multiples; "
                f"`crop = [{nearest[0]}, {nearest[1]}]` would be."
            )
        return cls(image, area, patch_px)

    @property
    def rows(self) -> int:
        """Patches from top to bottom."""
        return self.area[0] // self.patch_px

    @property
    def columns(self) -> int:
        """Patches from left to right."""
        return self.area[1] // self.patch_px

    @property
    def count(self) -> int:
        """All patches."""
        return self.rows * self.columns

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the first patch's upper-left pixel."""
        return (self.image[0] - self.area[0]) // 2, (self.image[1] - self.area[1]) // 2


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}x{pair[1]}"
