"""DeLong's test against a loop over all pairs of images, the published formula, the bootstrap, and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from harness.statistics.bootstrap import Resamples, auc
from harness.statistics.delong import NotTestable, delong, lacking

RANDOM = np.random.default_rng(0)


def by_all_pairs(labels, scores, groups):
    """Obuchowski 1997, formulas 4 to 7, over every pair of a positive and a negative image: O(n^2), no ranks."""
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    m, n, systems = len(positive), len(negative), len(scores)
    wins = np.zeros((systems, m, n))
    for s in range(systems):
        for i, x in enumerate(scores[s][positive]):
            for j, y in enumerate(scores[s][negative]):
                wins[s, i, j] = 1.0 if x > y else 0.5 if x == y else 0.0
    areas = wins.mean((1, 2))
    x_placed, y_placed = wins.mean(2), wins.mean(1)
    names = sorted(set(groups))
    x_count = np.array([sum(groups[i] == g for i in positive) for g in names])
    y_count = np.array([sum(groups[j] == g for j in negative) for g in names])
    x_sum = np.array([[sum(x_placed[s, k] for k, i in enumerate(positive) if groups[i] == g) for g in names]
                      for s in range(systems)])  # fmt: skip
    y_sum = np.array([[sum(y_placed[s, k] for k, j in enumerate(negative) if groups[j] == g) for g in names]
                      for s in range(systems)])  # fmt: skip
    with_x, with_y, with_any = (x_count > 0).sum(), (y_count > 0).sum(), len(names)
    covariance = np.zeros((systems, systems))
    for a in range(systems):
        for b in range(systems):
            dx_a, dx_b = x_sum[a] - x_count * areas[a], x_sum[b] - x_count * areas[b]
            dy_a, dy_b = y_sum[a] - y_count * areas[a], y_sum[b] - y_count * areas[b]
            s10 = with_x / ((with_x - 1) * m) * (dx_a * dx_b).sum()
            s01 = with_y / ((with_y - 1) * n) * (dy_a * dy_b).sum()
            s11 = with_any / (with_any - 1) * (dx_a * dy_b).sum()
            s11_turned = with_any / (with_any - 1) * (dx_b * dy_a).sum()
            covariance[a, b] = s10 / m + s01 / n + (s11 + s11_turned) / (m * n)
    return areas, covariance


def draw(patients: int = 15, units: int = 3, systems: int = 3):
    """Labels by image, so that a patient may have both kinds; ties; correlated systems."""
    groups = np.repeat([f"p{i}" for i in range(patients)], units)
    labels = (RANDOM.random(groups.size) < 0.4).astype(float)
    shared = RANDOM.normal(size=patients).repeat(units) + 1.2 * labels
    return labels, (shared + RANDOM.normal(size=(systems, groups.size))).round(1), groups


@pytest.mark.parametrize("clustered", [True, False], ids=["patients", "images"])
def test_areas_and_covariance_are_those_of_all_pairs_to_1e_10(clustered: bool) -> None:
    for _ in range(5):
        labels, scores, groups = draw()
        found = delong(labels, scores, groups if clustered else None)
        areas, covariance = by_all_pairs(labels, scores, list(groups) if clustered else list(range(labels.size)))
        np.testing.assert_allclose(found.values, areas, atol=1e-10, rtol=0)
        np.testing.assert_allclose(found.covariance, covariance, atol=1e-10, rtol=0)
        assert found.values[0] == pytest.approx(roc_auc_score(labels, scores[0]), abs=1e-12)


def test_without_groups_it_is_the_covariance_of_placements_that_delong_published() -> None:
    labels, scores, _ = draw()
    wins = scores[:, labels == 1][:, :, None] - scores[:, labels == 0][:, None, :]
    wins = np.heaviside(wins, 0.5)
    expected = np.cov(wins.mean(2)) / wins.shape[1] + np.cov(wins.mean(1)) / wins.shape[2]
    np.testing.assert_allclose(delong(labels, scores).covariance, expected, atol=1e-12)


def test_a_difference_has_the_normal_interval_and_p_of_its_variance() -> None:
    labels, scores, groups = draw(40)
    found = delong(labels, scores, groups)
    gap = found.difference(0, 2)
    variance = found.covariance[0, 0] + found.covariance[2, 2] - 2 * found.covariance[0, 2]
    assert gap.value == pytest.approx(roc_auc_score(labels, scores[0]) - roc_auc_score(labels, scores[2]))
    assert gap.error == pytest.approx(np.sqrt(variance))
    assert (gap.low, gap.high) == pytest.approx(norm.interval(0.95, gap.value, gap.error))
    assert gap.p == pytest.approx(2 * norm.cdf(-abs(gap.value) / gap.error))
    turned = found.difference(2, 0)
    assert (turned.value, turned.p) == pytest.approx((-gap.value, gap.p))


def test_the_error_is_the_bootstraps_over_patients_also_of_a_mean_over_classes() -> None:
    """Two systems, two classes with labels of their own; some labels unknown, as where folds differ."""
    patients, units = 300, 2
    groups = np.repeat(np.arange(patients), units)
    labels = (RANDOM.random((2, groups.size)) < 0.4).astype(float)
    labels[1] = np.where(RANDOM.random(groups.size) < 0.5, labels[0], labels[1])
    labels[1, :40] = np.nan
    shared = RANDOM.normal(size=patients).repeat(units)
    scores = [shared + np.nan_to_num(row) + 0.7 * RANDOM.normal(size=groups.size) for row in labels for _ in "ab"]
    found = delong(labels.repeat(2, axis=0), np.stack(scores), groups)
    weights = np.array([0.5, -0.5, 0.5, -0.5])
    drawn = Resamples.draw(groups, 2000, seed=1)
    areas = [drawn.apply(groups, auc(labels[k // 2], scores[k])) for k in range(4)]
    contrast = found.contrast(weights)
    resampled = sum(weight * values for weight, values in zip(weights, areas, strict=True))
    assert contrast.value == pytest.approx(resampled[0])
    assert contrast.error == pytest.approx(resampled[1:].std(), rel=0.06)
    for row, values in enumerate(areas):
        assert np.sqrt(found.covariance[row, row]) == pytest.approx(values[1:].std(), rel=0.06)


def test_rows_on_different_patients_do_not_vary_together() -> None:
    labels, scores, groups = draw(30, systems=2)
    own = np.stack([labels, labels])
    own[0, groups >= "p2"], own[1, groups < "p2"] = np.nan, np.nan
    assert delong(own, scores, groups).covariance[0, 1] == 0


def test_order_of_images_and_any_growing_transform_do_not_matter() -> None:
    labels, scores, groups = draw()
    found, order = delong(labels, scores, groups), RANDOM.permutation(labels.size)
    other = delong(labels[order], np.exp(3 * scores[:, order]), groups[order])
    np.testing.assert_allclose(found.covariance, other.covariance, atol=1e-14)


def test_identical_variants_do_not_differ_and_that_is_certain() -> None:
    labels, scores, groups = draw()
    gap = delong(labels, scores[[0, 0]], groups).difference(0, 1)
    assert (gap.value, gap.error, gap.low, gap.high, gap.p) == (0, 0, 0, 0, 1)


def test_constant_scores_are_chance_and_can_be_compared() -> None:
    labels, scores, groups = draw()
    scores[1] = 0.3
    found = delong(labels, scores, groups)
    assert found.values[1] == 0.5 and found.covariance[1, 1] == 0
    assert found.difference(0, 1).error == pytest.approx(np.sqrt(found.covariance[0, 0]))


def test_without_a_misplaced_patient_there_is_no_error_and_no_p() -> None:
    labels = np.array([1.0, 1, 0, 0])
    gap = delong(labels, np.stack([labels, -labels])).difference(0, 1)
    assert (gap.value, gap.error) == (1, 0) and np.isnan([gap.low, gap.high, gap.p]).all()


def test_an_area_has_the_interval_of_its_logit() -> None:
    """Against the delta method done by numbers: how far log(a / (1 - a)) moves with a."""
    labels, scores, groups = draw(40)
    found = delong(labels, scores, groups)
    area = found.area(np.array([1.0, 0, 0]))
    slope = (logit(area.value + 1e-6) - logit(area.value - 1e-6)) / 2e-6
    wanted = norm.interval(0.95, logit(area.value), slope * np.sqrt(found.covariance[0, 0]))
    assert (logit(area.low), logit(area.high)) == pytest.approx(wanted) and np.isnan(area.p)


def test_an_area_near_one_stays_below_one_and_one_without_variance_has_no_bounds() -> None:
    labels = np.repeat([0.0, 1.0], 40)
    scores = labels + 0.01 * np.arange(80)
    scores[0] = 2.2  # one negative above some positives
    found = delong(labels, np.stack([scores, labels, np.zeros(80)]))
    plain, own = found.contrast(np.array([1.0, 0, 0])), found.area(np.array([1.0, 0, 0]))
    assert plain.high > 1 > own.high > own.value > own.low > 0.8
    for row, value in ((1, 1.0), (2, 0.5)):
        area = found.area(np.eye(3)[row])
        assert area.value == value and np.isnan([area.low, area.high]).all()


@pytest.mark.parametrize(
    ("labels", "groups", "told"),
    [
        ([1.0, 1, 1, np.nan], "abcd", "no patient has a negative"),
        ([0.0, 0, 0, 0], "abcd", "no patient has a positive"),
        ([1.0, 0, 1, 0], "aaaa", "only one patient has a positive"),
        ([1.0, 1, 0, 0], "aabc", "only one patient has a positive"),
        ([1.0, 1, 0, np.nan], "abcd", "only one patient has a negative"),
    ],
)
def test_too_few_patients_are_a_named_error(labels, groups, told) -> None:
    assert lacking(np.array(labels), list(groups)).startswith(told)
    with pytest.raises(NotTestable, match=f"row 0: {told}"):
        delong(np.array(labels), np.arange(4.0), list(groups))


def test_wrong_input_is_reported() -> None:
    labels = np.array([1.0, 0, 1, 0])
    with pytest.raises(ValueError, match="finite"):
        delong(labels, np.array([0.1, np.nan, 0.2, 0.3]))
    with pytest.raises(ValueError, match=r"\(4,\) and \(1, 3\)"):
        delong(labels, np.arange(3.0))
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        delong(2 * labels, np.arange(4.0))
    with pytest.raises(ValueError, match="3 for 4 images"):
        delong(labels, np.arange(4.0), ["a", "b", "c"])


def test_a_score_without_a_label_may_be_anything() -> None:
    labels, scores, _ = draw()
    labels[3], scores[:, 3] = np.nan, np.nan
    known = ~np.isnan(labels)
    found, other = delong(labels, scores), delong(labels[known], scores[:, known])
    np.testing.assert_allclose(found.covariance, other.covariance, atol=1e-15)
