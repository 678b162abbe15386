"""GMIC's parameters of crops: checked, and placed on an image. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from harness import Task
from harness_architectures.shared.geometry import Geometry, map_size


@dataclass(frozen=True)
class Cropping:
    """Number, size and choice of crops; the fields are parameters of `build_gmic`.

    Raises:
        ValueError: a number is below 1.
    """

    crops: int
    crop_px: int | None
    crop_choice: Literal["saliency", "random"]
    replicate_grey: bool
    crop_channels: int | None = None

    def __post_init__(self) -> None:
        if self.crops < 1:
            raise ValueError(f"K = {self.crops}: `crops >= 1` must hold.")
        if self.crop_px is not None and self.crop_px < 1:
            raise ValueError(f"`crop_px >= 1` must hold, but got crop_px={self.crop_px}.")

    def place(self, task: Task, backbone: Any) -> Geometry | None:
        """Return where map, windows and crops lie; None where image or map are not known yet.

        Raises:
            ValueError: the crops do not fit.
        """
        cells = map_size(task.image_size, backbone.facts())
        return None if task.image_size == (0, 0) or cells is None else self.on(task.image_size, cells)

    def on(self, image: tuple[int, int], cells: tuple[int, int]) -> Geometry:
        """Return where crops lie on an image with a map of so many cells.

        Raises:
            ValueError: they do not fit.
        """
        place = Geometry.of(image, cells, self.crop_px)
        place.check(self.crops)
        return place

    def channels(self, task: Task) -> tuple[int, int]:
        """Return how many channels of the image the crops take, and how many the local network reads.

        Raises:
            ValueError: the image has fewer channels.
        """
        cropped = task.channels if self.crop_channels is None else self.crop_channels
        if not 1 <= cropped <= task.channels:
            found = f"crop_channels={self.crop_channels}"
            raise ValueError(f"`1 <= crop_channels <= {task.channels}` must hold, but got {found}.")
        return cropped, 3 if self.replicate_grey and cropped == 1 else cropped
