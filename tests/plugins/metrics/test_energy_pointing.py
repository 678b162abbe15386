"""The share of a map's energy inside the lesion, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.metrics.functional import map_terms, resize_nearest
from tests.built_in_metrics import metric, registry

MASK = np.zeros((24, 16), bool)
MASK[4:10, 3:8] = True


@pytest.mark.parametrize("shape", [(6, 4), (5, 3), (24, 16)])
def test_it_is_the_sum_inside_over_the_sum(shape: tuple[int, int]) -> None:
    saliency = np.random.default_rng(0).random(shape)
    drawn = resize_nearest(saliency, MASK.shape)
    found = metric("energy_pointing").values(pd.DataFrame([map_terms(saliency, MASK)]))
    assert found == pytest.approx([drawn[MASK].sum() / drawn.sum()])


def test_all_energy_inside_is_one_and_a_map_of_zeros_points_nowhere() -> None:
    rows = pd.DataFrame([map_terms(saliency, MASK) for saliency in (0.3 * MASK, np.zeros((6, 4)), np.ones((6, 4)))])
    assert metric("energy_pointing").values(rows) == pytest.approx([1, 0, MASK.mean()])


def test_it_is_in_no_table_unless_a_study_names_it() -> None:
    assert registry().get("energy_pointing") is None
    named = registry(energy_pointing=None)
    assert "energy_pointing" in {item.key for item in named.leaderboard} & {item.key for item in named.at("tables")}
