"""Lesions of a mask and candidates of a map, as rows of their tables. `harness.metrics.maps` defines both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.metrics.maps.boxes import box_ious, boxes_of, components
from harness.metrics.maps.candidates import candidates, hits

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Drawn:
    """The lesions of one known mask.

    Args:
        labelled: of 0 outside and 1, 2, … in the lesions, at the size of the outline.
        boxes: "l 4" of x0 y0 x1 y1 in pixels of the image, half open.
        size: height and width of the image.
    """

    labelled: Array
    boxes: Array
    size: tuple[int, int]

    @classmethod
    def of(cls, outline: Array, size: tuple[int, int]) -> Drawn:
        """Return the lesions of an outline, more than 0 inside, of an image of this size."""
        labelled, _ = components(outline)
        boxes, scale = boxes_of(labelled), np.array([size[1], size[0]] * 2)
        of = np.array([labelled.shape[1], labelled.shape[0]] * 2)
        boxes = np.hstack([(boxes * scale // of)[:, :2], (-(-boxes * scale // of))[:, 2:]])
        return cls(labelled.astype(np.int16), boxes, size)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row per lesion, without its keys."""
        areas = np.bincount(self.labelled.ravel(), minlength=len(self.boxes) + 1) / self.labelled.size
        for number, (area, box) in enumerate(zip(areas[1:], self.boxes.tolist(), strict=True), start=1):
            yield {"lesion": number, "area": float(area), **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))}

    def box_ious(self, saliency: Array) -> Array | None:
        """Return the IoU of the map's box at each threshold; None if there is no lesion."""
        return box_ious(saliency, self.boxes, self.size) if len(self.boxes) else None

    def lesions(self, found: Array) -> Array:
        """Return the lesion in which each candidate of `candidates` lies, "p"; 0 outside all of them."""
        scale = np.array(self.labelled.shape) / self.size
        return hits(found * [1.0, scale[1], scale[0]], self.labelled)


def candidate_rows(saliency: Array, drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield one row per candidate of a map "i j", without its keys."""
    found = candidates(saliency, drawn.size)
    for number, ((score, x, y), lesion) in enumerate(zip(found.tolist(), drawn.lesions(found), strict=True)):
        inside = int(lesion) if lesion else None
        yield {"candidate": number, "score": score, "x": x, "y": y, "lesion": inside}
