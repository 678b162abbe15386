"""Map terms, soft Dice, PxAP and pointing: acceptance checks and a pixel-by-pixel reference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from harness.contract import tables
from harness.contract.tables import BINS, MAPS
from harness.metrics.functional import localisable, map_terms, pixel_ap, resize_nearest, soft_dice
from tests.built_in_metrics import metric

RANDOM = np.random.default_rng(0)
MASK = np.zeros((24, 16), bool)
MASK[4:10, 3:11] = True


def dice_of(terms: dict) -> float:
    return float(soft_dice(terms["dice_overlap"], terms["dice_sum"]))


def scaled_ap(terms: dict) -> float:
    return pixel_ap(terms["positive_scaled"], terms["negative_scaled"])


def test_a_map_that_is_its_mask_is_perfect() -> None:
    terms = map_terms(MASK.astype(float), MASK)
    assert (dice_of(terms), scaled_ap(terms), terms["peak_hit"]) == (1, 1, 1)


def test_an_empty_map_has_dice_zero() -> None:
    assert dice_of(map_terms(np.zeros(MASK.shape), MASK)) == 0


def test_two_empties_have_no_dice() -> None:
    assert np.isnan(dice_of(map_terms(np.zeros((3, 2)), np.zeros_like(MASK))))


def test_a_constant_map_scores_the_prevalence() -> None:
    for value in (0.0, 0.4, 1.0):
        terms = map_terms(np.full((6, 4), value), MASK)
        assert scaled_ap(terms) == pytest.approx(MASK.mean())
        assert terms["peak_hit"] == pytest.approx(MASK.mean())


def test_half_the_mask_at_half_strength_is_dice_by_hand() -> None:
    saliency = np.zeros(MASK.shape)
    saliency[4:7, 3:11] = 0.5  # overlap 24 pixels x .5 = 12, of sums 12 + 48
    assert dice_of(map_terms(saliency, MASK)) == pytest.approx(2 * 12 / 60)


@pytest.mark.parametrize("shape", [(1, 1), (6, 4), (7, 5), (24, 4), (5, 16), (24, 16), (46, 30), (48, 3)])
def test_counting_cells_equals_drawing_the_map(shape: tuple[int, int]) -> None:
    saliency = RANDOM.random(shape)
    drawn = resize_nearest(saliency, MASK.shape)
    terms, bins = map_terms(saliency, MASK), np.floor(drawn * 1000).astype(int)
    assert terms["dice_overlap"] == pytest.approx(drawn[MASK].sum())
    assert terms["dice_sum"] == pytest.approx(drawn.sum() + MASK.sum())
    assert terms["peak_hit"] == pytest.approx(MASK[drawn == drawn.max()].mean())
    np.testing.assert_array_equal(terms["positive_raw"], np.bincount(bins[MASK], minlength=BINS))
    np.testing.assert_array_equal(terms["negative_raw"], np.bincount(bins[~MASK], minlength=BINS))
    assert terms["positive_scaled"].sum() + terms["negative_scaled"].sum() == MASK.size
    if shape != (1, 1):
        assert (terms["positive_scaled"] + terms["negative_scaled"])[[0, -1]].all()


@pytest.mark.parametrize("size", [(12, 8), (25, 31), (96, 64), (7, 5)])
def test_nearest_is_the_nearest_of_torch(size: tuple[int, int]) -> None:
    saliency = RANDOM.random((6, 4)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(saliency)[None, None], size=size, mode="nearest")
    np.testing.assert_array_equal(resize_nearest(saliency, size), expected[0, 0].numpy())


def test_pixel_ap_is_average_precision_where_values_fall_on_thresholds() -> None:
    from sklearn.metrics import average_precision_score

    saliency = RANDOM.integers(0, 1001, MASK.shape) / 1000
    saliency.flat[:2] = 0, 1
    expected = average_precision_score(MASK.ravel(), saliency.ravel())
    assert scaled_ap(map_terms(saliency, MASK)) == pytest.approx(expected)


def test_a_threshold_is_in_the_bin_of_its_own() -> None:
    saliency = np.linspace(0, 1, BINS, dtype=np.float32)[None].repeat(2, 0)
    terms = map_terms(saliency, np.ones_like(saliency))
    np.testing.assert_array_equal(terms["positive_raw"], np.full(BINS, 2))


def test_an_unknown_mask_leaves_nothing_to_count() -> None:
    terms = map_terms(np.ones((3, 2)), None)
    assert not terms["mask_known"] and terms["positive_raw"] is None and np.isnan(terms["dice_sum"])


def test_a_negative_image_keeps_its_false_alarms_and_has_no_peak_to_hit() -> None:
    terms = map_terms(np.full((3, 2), 0.5), np.zeros_like(MASK))
    assert terms["dice_sum"] == MASK.size / 2 and np.isnan(terms["peak_hit"])
    assert terms["negative_raw"][500] == MASK.size and np.isnan(pixel_ap(terms["positive_raw"], terms["negative_raw"]))


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan, np.inf])
def test_a_map_outside_the_unit_interval_is_refused(bad: float) -> None:
    saliency = np.full((3, 2), 0.5)
    saliency[1, 1] = bad
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        map_terms(saliency, MASK)


def test_terms_fill_the_maps_table_and_come_back_from_parquet() -> None:
    known = {"id": "1", "class": "a", "label": 1.0, **map_terms(RANDOM.random((6, 4)), MASK)}
    unknown = {"id": "2", "class": "a", "label": 1.0, **map_terms(RANDOM.random((6, 4)), None)}
    assert set(MAPS) >= set(known)
    table = pd.DataFrame([known, unknown])
    again = tables.from_bytes(tables.to_bytes(table, "maps"))
    for key in ("dice", "pixel_ap", "pointing"):
        assert metric(key).value(again[:1]) == metric(key).value(table[:1])


def test_a_positive_with_an_empty_mask_is_left_out() -> None:
    hit = {"class": "a", "label": 1.0, **map_terms(MASK.astype(float), MASK)}
    empty = {"class": "a", "label": 1.0, **map_terms(MASK.astype(float), np.zeros_like(MASK))}
    negative = {"class": "a", "label": 0.0, **map_terms(MASK.astype(float), np.zeros_like(MASK))}
    table = pd.DataFrame([hit, empty, negative])
    for key in ("dice", "pixel_ap", "pointing"):
        assert metric(key).value(localisable(table)) == 1
