"""Metrics of faithfulness against hand-worked cases, scipy and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from harness.contract.tables import FAITHFULNESS
from harness.metrics.maps import faithfulness as f
from harness.statistics.bootstrap import Resamples, interval, mean
from harness.tables.measure.decision_chart import decision_chart
from harness.tables.measure.faithfulness_table import faithfulness_table

BEFORE, AFTER = np.array([0.8, 0.5, 0.4, 0.0]), np.array([0.6, 0.7, 0.0, 0.1])


def test_drop_and_increase_are_those_of_the_papers():
    assert f.drop(BEFORE, AFTER) == pytest.approx([0.2, 0, 0.4, 0])
    assert f.relative_drop(BEFORE, AFTER) == pytest.approx([25, 0, 100, math.nan], nan_ok=True)
    assert f.increase(BEFORE, AFTER).tolist() == [0, 1, 0, 1]
    assert f.increase(BEFORE, BEFORE).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("scores", "area"), [([0, 1], 0.5), ([1, 1, 1], 1), ([0, 1, 1], 0.75), ([1, 0, 0, 0], 1 / 6)])
def test_the_area_under_a_curve_is_that_of_its_trapezia(scores: list[float], area: float):
    assert f.curve_area(np.array(scores)) == pytest.approx(area)
    steps = np.linspace(0, 1, len(scores))
    assert f.curve_area(np.array(scores)) == pytest.approx(np.trapezoid(scores, steps))


def test_rank_correlation_is_pearsons_of_the_ranks():
    first, second = np.random.default_rng(0).random((2, 6, 5))
    ranks = [stats.rankdata(values) for values in (first.ravel(), second.ravel())]
    assert f.rank_correlation(first, second) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert f.rank_correlation(first, np.exp(first)) == pytest.approx(1)
    assert f.rank_correlation(first, -first) == pytest.approx(-1)
    assert math.isnan(f.rank_correlation(first, np.zeros((6, 5))))


def test_structural_similarity_is_the_formula_in_every_window():
    first, second = np.random.default_rng(1).random((2, 14, 12))
    axis = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(axis, axis) / axis.sum() ** 2
    wide = [np.pad(values, 5, mode="symmetric") for values in (first, second)]
    found = []
    for y in range(14):
        for x in range(12):
            a, b = (values[y : y + 11, x : x + 11] for values in wide)
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            shared = (window * (a - ma) * (b - mb)).sum()
            up = (2 * ma * mb + 1e-4) * (2 * shared + 9e-4)
            found.append(up / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))
    assert f.structural_similarity(first, second) == pytest.approx(np.mean(found))
    assert f.structural_similarity(first, first) == pytest.approx(1)


def _rows(**changes: object) -> pd.DataFrame:
    """Eight patients with two images each, once with the rest and once with the important part covered."""
    common = {"study": "s", "variant": "v", "seed": 0, "fold": None, "split": "test", "class": "a", "label": 1.0}
    common |= {"map": "gradcam", "method": "darken", "level": math.nan, **changes}
    rest, important = [0.7, 0.9, 0.2, 0.4], [0.1, 0.8, 0.2, 0.0]
    elsewhere = {"shifted_rest": [0.5, 0.8, 0.2, 0.3], "shifted_important": [0.4, 0.8, 0.1, 0.3]}
    rows = [
        {**common, "id": f"i{n}", "unit": f"i{n}", "group": f"p{n // 2}", "covered": covered, "before": 0.8, "after": o}
        for covered, values in (("rest", rest), ("important", important), *elsewhere.items())
        for n, o in enumerate(values * 4)
    ]
    return pd.DataFrame(rows, columns=list(FAITHFULNESS))


def test_both_readings_are_side_by_side():
    row = faithfulness_table(_rows()).iloc[0]
    assert (row["variant"], row["map"], row["method"], row["replicates"], row["n"]) == ("v", "gradcam", "darken", 1, 16)
    assert row["rest_drop"] == pytest.approx((0.1 + 0 + 0.6 + 0.4) / 4)
    assert row["rest_drop_percent"] == pytest.approx(100 * (0.1 + 0.6 + 0.4) / 0.8 / 4)
    assert row["rest_increase"] == pytest.approx(1 / 4)
    assert row["important_drop"] == pytest.approx((0.7 + 0 + 0.6 + 0.8) / 4)
    assert row["important_increase"] == 0
    assert row["margin"] == pytest.approx((0.6 + 0.1 + 0 + 0.4) / 4)
    assert row["margin_shifted"] == pytest.approx((0.1 + 0 + 0.1 + 0) / 4)
    assert row["margin_gain"] == pytest.approx((0.5 + 0.1 - 0.1 + 0.4) / 4)
    assert math.isnan(row["curve_area"]) and math.isnan(row["ssim_low"])


def test_intervals_resample_patients_and_replicates_are_averaged():
    rows = _rows()
    row = faithfulness_table(rows, resamples=200).iloc[0]
    groups = [f"p{n // 2}" for n in range(16)]
    expected = interval(Resamples.draw(groups, 200).apply(groups, mean(np.array([0.6, 0.1, 0.0, 0.4] * 4))))
    assert [row[f"margin{bound}"] for bound in ("", "_low", "_high")] == pytest.approx(
        [expected.value, expected.low, expected.high]
    )
    second = rows.assign(seed=1, after=rows["after"] * 0)
    both = faithfulness_table(pd.concat([rows, second]), resamples=200).iloc[0]
    assert both["replicates"] == 2 and both["rest_drop"] == pytest.approx((row["rest_drop"] + 0.8) / 2)


def test_of_fewer_than_eight_patients_there_is_no_interval_and_no_verdict():
    few = faithfulness_table(_rows().query("group < 'p7'"), resamples=200)
    assert few["margin"].iloc[0] > 0 and math.isnan(few["margin_low"].iloc[0])
    assert decision_chart(few, {("v", "gradcam"): 1.0}, {"v": 1.0}).iloc[0]["reliable"] is pd.NA


def test_levels_methods_and_variants_have_rows_of_their_own_in_study_order():
    rows = pd.concat([_rows(variant="b"), _rows(variant="a", method="zero", level=0.5), _rows(variant="a")])
    table = faithfulness_table(rows, order=["a", "b"], resamples=10)
    assert table["variant"].tolist() == ["a", "a", "b"] and table["method"].tolist() == ["zero", "darken", "darken"]
    curves = _rows(method="deletion").assign(curve_area=0.25, covered="")
    assert faithfulness_table(curves, resamples=10)["curve_area"].tolist() == [0.25]


def test_without_rows_there_is_an_empty_table_with_its_columns():
    empty = faithfulness_table(pd.DataFrame(columns=list(FAITHFULNESS)))
    assert empty.empty and {"rest_drop", "margin_low", "ssim_high"} <= set(empty.columns)
    assert decision_chart(empty, {}, {}).empty


@pytest.mark.parametrize(
    ("focus", "accuracy", "verdict", "of_model"),
    [
        (0.9, 0.9, "trust the model's focus", "trust"),
        (0.1, 0.9, "distrust the model's focus", "likely over-fitted on artefacts"),
        (0.9, 0.6, "trust the model's focus", "find the source of error"),
        (0.1, 0.6, "distrust the model's focus", "insufficient training"),
        (math.nan, 0.9, "", ""),
    ],
)
def test_the_decision_chart_has_four_corners(focus: float, accuracy: float, verdict: str, of_model: str):
    rows = _rows()
    rows.loc[rows["covered"] == "rest", "after"] = 0.9
    table = faithfulness_table(rows, resamples=50)
    chart = decision_chart(table, {("v", "gradcam"): focus}, {"v": accuracy}).iloc[0]
    assert chart["reliable"] and (chart["of_focus"], chart["of_model"]) == (verdict, of_model)


def test_a_map_that_marks_everything_has_a_margin_and_no_gain_and_is_not_reliable():
    """Moved about, it is the same map: whatever covering all of the image does is no merit of the map."""
    rows = _rows()
    rows["after"] = np.where(rows["covered"].str.endswith("rest"), 0.8, 0.0)
    table = faithfulness_table(rows, resamples=50)
    assert table["margin"].iloc[0] == 0.8 and table["margin_gain"].iloc[0] == 0
    chart = decision_chart(table, {("v", "gradcam"): 1.0}, {"v": 1.0}).iloc[0]
    assert not chart["reliable"] and "no conclusion" in chart["of_focus"] and chart["of_model"] == ""


def test_a_table_from_before_the_gain_was_measured_says_nothing():
    rows = _rows()
    rows.loc[rows["covered"] == "rest", "after"] = 0.9
    table = faithfulness_table(rows[~rows["covered"].str.startswith("shifted")], resamples=50)
    chart = decision_chart(table, {("v", "gradcam"): 1.0}, {"v": 1.0}).iloc[0]
    assert chart["margin"] > 0 and chart["reliable"] is pd.NA and chart["of_focus"] == chart["of_model"] == ""


def test_an_unreliable_map_says_nothing_of_the_model():
    rows = _rows().assign(after=0.5)  # it does not matter which part is covered
    chart = decision_chart(faithfulness_table(rows, resamples=50), {("v", "gradcam"): 1.0}, {"v": 1.0}).iloc[0]
    assert not chart["reliable"] and "no conclusion" in chart["of_focus"] and chart["of_model"] == ""
