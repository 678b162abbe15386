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
        labelled: "h w" of 0 outside and 1, 2, … in the lesions.
        boxes: "l 4" of x0 y0 x1 y1 in pixels, half open.
    """

    labelled: Array
    boxes: Array

    @classmethod
    def of(cls, mask: Array) -> Drawn:
        """Return the lesions of a mask "h w", more than 0 inside."""
        labelled, _ = components(mask)
        return cls(labelled.astype(np.int16), boxes_of(labelled))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row per lesion, without its keys."""
        areas = np.bincount(self.labelled.ravel(), minlength=len(self.boxes) + 1) / self.labelled.size
        for number, (area, box) in enumerate(zip(areas[1:], self.boxes.tolist(), strict=True), start=1):
            yield {"lesion": number, "area": float(area), **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))}

    def box_ious(self, saliency: Array) -> Array | None:
        """Return the IoU of the map's box at each threshold; None if there is no lesion."""
        size = self.labelled.shape
        return box_ious(saliency, self.boxes, (size[0], size[1])) if len(self.boxes) else None


def candidate_rows(saliency: Array, drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Yield one row per candidate of a map "i j", without its keys."""
    size = drawn.labelled.shape
    found = candidates(saliency, (size[0], size[1]))
    for number, ((score, x, y), lesion) in enumerate(zip(found.tolist(), hits(found, drawn.labelled), strict=True)):
        inside = int(lesion) if lesion else None
        yield {"candidate": number, "score": score, "x": x, "y": y, "lesion": inside}
