"""The box round the hottest part of a map, where a map has no hottest part."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.maps.boxes import STEPS, box_ious


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_map_has_the_box_of_the_whole_image(value: float) -> None:
    found = box_ious(np.full((6, 8), value), np.array([[0, 0, 4, 6]]), (6, 8))
    assert found.tolist() == pytest.approx([0.5] * STEPS)
