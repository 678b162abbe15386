"""Friedman against its formula, Nemenyi's critical difference against the published table, by simulation."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.stats import friedmanchisquare, rankdata

from harness.reporting.figures.ranks import critical_difference_figure
from harness.statistics.ranks import rank, why_no_ranks

RANDOM = np.random.default_rng(0)
NAMES = tuple("abcde")

# Demšar 2006, table 5 (a): q of the two-tailed Nemenyi test at .05, for 2 to 10 classifiers.
PUBLISHED = {3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}


def test_the_statistic_is_friedmans_formula() -> None:
    figures = RANDOM.random((8, 5))
    found, own = rank(figures, NAMES), rankdata(-figures, axis=1).mean(0)
    statistic = 12 * 8 / (5 * 6) * ((own**2).sum() - 5 * 36 / 4)
    assert found.statistic == pytest.approx(statistic)
    assert dict(zip(found.names, found.means, strict=True)) == pytest.approx(dict(zip(NAMES, own, strict=True)))


def test_p_counts_the_orders_that_spread_the_variants_as_widely() -> None:
    figures = RANDOM.random((3, 3))
    ranked = rankdata(figures, axis=1)
    orders = np.array(list(itertools.product(itertools.permutations([1, 2, 3]), repeat=3)))  # all 216
    as_wide = np.square(orders.sum(1)).sum(1) >= np.square(ranked.sum(0)).sum()
    assert rank(figures, NAMES[:3]).p == pytest.approx(as_wide.mean())


def test_of_many_data_sets_p_is_that_of_chi_square() -> None:
    figures = RANDOM.random((40, 4)) + np.array([0, 0.05, 0.1, 0.15])
    assert rank(figures, NAMES[:4]).p == pytest.approx(friedmanchisquare(*figures.T).pvalue, abs=0.01)


@pytest.mark.parametrize(("systems", "q"), PUBLISHED.items())
def test_the_critical_difference_is_the_published_one(systems: int, q: float) -> None:
    found = rank(RANDOM.random((14, systems)), [f"s{k}" for k in range(systems)])
    assert found.critical == pytest.approx(q * np.sqrt(systems * (systems + 1) / (6 * 14)), rel=5e-4)


def test_a_pair_is_separated_just_where_its_p_is_below_the_level() -> None:
    found = rank(RANDOM.random((30, 5)) + np.array([0, 0.1, 0.2, 0.5, 0.9]), NAMES)
    gaps = np.abs(found.means[:, None] - found.means[None, :])
    np.testing.assert_array_equal(found.pairs < 0.05, gaps > found.critical)
    for first, last in found.groups:
        assert found.pairs[first, last] > 0.05
    assert found.names[0] == "e" and found.means[0] == found.means.min()


def test_equal_variants_are_separated_in_at_most_five_percent() -> None:
    critical = rank(RANDOM.random((20, 4)), NAMES[:4]).critical
    means = rankdata(RANDOM.random((2000, 20, 4)), axis=2).mean(1)
    assert 0.02 < (np.ptp(means, axis=1) > critical).mean() <= 0.06


def test_losses_are_ranked_the_other_way_round() -> None:
    figures = RANDOM.random((6, 3))
    found, turned = rank(figures, NAMES[:3], higher_is_better=False), rank(-figures, NAMES[:3])
    assert found.names == turned.names


def test_variants_that_are_equal_everywhere_share_every_rank() -> None:
    found = rank(np.full((4, 3), 0.8), NAMES[:3])
    assert found.means.tolist() == [2, 2, 2] and (found.statistic, found.p) == (0, 1)
    assert found.groups == [(0, 2)]


def test_the_same_order_on_every_data_set_is_as_sure_as_it_gets() -> None:
    found = rank(np.tile([0.9, 0.8, 0.7], (5, 1)), NAMES[:3])
    assert found.p == pytest.approx(6 / 6**5) and found.statistic == pytest.approx(10)
    assert rank(np.tile([0.9, 0.8, 0.7], (3, 1)), NAMES[:3]).p == pytest.approx(1 / 36)  # where F says p = 0


def test_too_little_to_rank_is_reported() -> None:
    assert "at least 3 data sets, here are 2" in why_no_ranks(5, 2)
    assert "at least 3 variants" in why_no_ranks(2, 5)
    assert why_no_ranks(3, 3) == ""
    with pytest.raises(ValueError, match="3 data sets"):
        rank(RANDOM.random((2, 3)), NAMES[:3])
    with pytest.raises(ValueError, match="value on every data set"):
        rank(np.array([[1, 2, np.nan]] * 3), NAMES[:3])
    with pytest.raises(ValueError, match="3 variants"):
        rank(RANDOM.random((4, 2)), NAMES[:3])


@pytest.mark.parametrize("systems", [3, 9])
def test_the_diagram_is_a_picture_that_stays_the_same(systems: int) -> None:
    names = [f"variant_{k}" for k in range(systems)]
    figures = RANDOM.random((12, systems)) + np.linspace(0, 1, systems)
    picture = critical_difference_figure(rank(figures, names), "Mean test AUC")
    image = imread(io.BytesIO(picture))
    assert image.shape[1] > 700 and image[..., :3].std() > 0.02
    assert picture == critical_difference_figure(rank(figures, names), "Mean test AUC")
