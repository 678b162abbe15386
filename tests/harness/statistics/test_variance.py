"""Variance components against statsmodels' mean squares, the closed form and simulation; expected best likewise."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from harness.contract.types import Objective
from harness.statistics.tuning import expected_best, tuning_curves
from harness.statistics.variance import REST, variance_split, variance_table
from harness.tables.markdown import spread_axes

RANDOM = np.random.default_rng(0)
AXES = ["variant", "seed", "fold"]


def grid(sizes: tuple[int, ...], deviations: tuple[float, ...], noise: float) -> pd.DataFrame:
    effects = [RANDOM.normal(scale=scale, size=size) for size, scale in zip(sizes, deviations, strict=True)]
    rows = [
        {**dict(zip(AXES, cell, strict=False)), "value": sum(e[c] for e, c in zip(effects, cell, strict=True))}
        for cell in itertools.product(*map(range, sizes))
    ]
    table = pd.DataFrame(rows)
    return table.assign(value=table["value"] + RANDOM.normal(scale=noise, size=len(table)))


def test_components_are_made_of_statsmodels_mean_squares() -> None:
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    table = grid((4, 3, 5), (1.0, 0.5, 0.2), 0.3)
    squares = anova_lm(ols("value ~ C(variant) + C(seed) + C(fold)", table).fit())["mean_sq"]
    found = variance_split(table, "value", AXES).set_index("axis")
    assert found.loc[REST, "component"] == pytest.approx(squares["Residual"])
    for axis, levels in zip(AXES, (4, 3, 5), strict=True):
        expected = (squares[f"C({axis})"] - squares["Residual"]) * levels / 60
        assert found.loc[axis, "component"] == pytest.approx(expected)
        assert found.loc[axis, "levels"] == levels
    assert found["share"].sum() == pytest.approx(1)


def test_components_are_unbiased() -> None:
    found = [variance_split(grid((6, 5), (0.8, 0.4), 0.5), "value", AXES[:2])["component"] for _ in range(300)]
    assert np.mean(found, 0) == pytest.approx([0.64, 0.16, 0.25], rel=0.15)


def test_one_axis_has_its_plain_variance_and_no_rest() -> None:
    table = grid((1, 5), (0.0, 1.0), 0.0)
    found = variance_split(table, "value", AXES[:2])
    assert found["axis"].tolist() == ["seed"]
    assert found["std"].tolist() == pytest.approx([table["value"].std(ddof=1)])


def test_an_axis_that_explains_less_than_chance_has_share_0() -> None:
    values = [[1.0, -1.0], [-1.0, 1.0]]  # all interaction
    rows = [{"variant": v, "seed": s, "value": values[v][s]} for v in (0, 1) for s in (0, 1)]
    found = variance_split(pd.DataFrame(rows), "value", AXES[:2]).set_index("axis")
    assert (found.loc[["variant", "seed"], "component"] < 0).all()
    assert found["share"].tolist() == [0, 0, 1] and found.loc["seed", "std"] == 0


def test_nothing_varies_and_nothing_is_shared() -> None:
    assert variance_split(grid((1, 1), (0.0, 0.0), 0.0), "value", AXES[:2]).empty
    flat = variance_split(grid((2, 3), (0.0, 0.0), 0.0), "value", AXES[:2])
    assert flat["component"].tolist() == [0, 0, 0] and flat["share"].isna().all()


def test_a_variant_that_lost_a_seed_is_left_out_and_other_holes_are_reported() -> None:
    table = grid((4, 3), (1.0, 0.5), 0.3)
    without = variance_split(table.drop(index=0), "value", AXES[:2])
    np.testing.assert_allclose(
        without["component"], variance_split(table[table["variant"] > 0], "value", AXES[:2])["component"]
    )
    with pytest.raises(ValueError, match="no value of variant"):
        variance_split(table.drop(index=[0, 4, 8, 9]), "value", AXES[:2])
    with pytest.raises(ValueError, match="several values"):
        variance_split(pd.concat([table, table]), "value", AXES[:2])


def test_a_study_names_the_axes_it_has(trials: pd.DataFrame) -> None:
    more = trials.assign(fold=None, number=trials["number"].astype(int))
    again = more[more["stage"] == "search"].assign(number=more["number"] + 10, value=more["value"] - 0.1)
    found = variance_table(pd.concat([more, again]), order=("gmic", "gap", "blind"))
    pairs = set(zip(found["of"], found["variant"], found["axis"], strict=True))
    assert ("search", "gmic", "configuration") in pairs and ("confirm", "gmic", "seed") in pairs
    assert ("confirm", "", "configuration") in pairs and ("confirm", "", REST) in pairs
    assert "fold" not in set(found["axis"])
    everything = found[(found["of"] == "confirm") & (found["variant"] == "")].set_index("axis")
    assert everything.loc["configuration", "share"] == pytest.approx(1)  # both seeds came to the same
    assert variance_table(more.iloc[:0], order=("gmic",)).empty


def test_every_spread_says_what_it_is_over() -> None:
    runs = [(0, None), (1, None)]
    assert spread_axes(runs) == "2 seeds"
    assert spread_axes([(0, fold) for fold in range(5)]) == "5 folds"
    assert spread_axes(itertools.product(range(3), range(5))) == "3 seeds x 5 folds"
    assert spread_axes([(0, None)]) == "" == spread_axes([])


def test_the_best_of_n_is_that_of_drawing_n_many_times() -> None:
    values = RANDOM.normal(size=12).round(1)  # ties
    mean, spread = expected_best(values)
    for n in (1, 3, 12):
        drawn = RANDOM.choice(values, (200_000, n)).max(1)
        assert (mean[n - 1], spread[n - 1]) == pytest.approx((drawn.mean(), drawn.std()), abs=0.01)


def test_the_best_of_n_is_the_mean_over_all_draws() -> None:
    values = np.array([0.3, 0.9, 0.5])
    mean, spread = expected_best(values)
    for n in (1, 2, 3):
        every = [max(draw) for draw in itertools.product(values, repeat=n)]
        assert (mean[n - 1], spread[n - 1]) == pytest.approx((np.mean(every), np.std(every)))


def test_a_loss_is_the_mirror_image() -> None:
    values = RANDOM.random(6)
    np.testing.assert_allclose(expected_best(values, "min")[0], -expected_best(-values)[0])


def test_of_constant_values_nothing_better_is_expected() -> None:
    mean, spread = expected_best(np.full(4, 0.7))
    np.testing.assert_allclose(mean, 0.7)
    np.testing.assert_allclose(spread, 0, atol=1e-12)


@pytest.mark.parametrize(("values", "mode"), [([], "max"), ([0.1, np.nan], "max"), ([0.1], "up")])
def test_what_cannot_be_expected_is_reported(values: list[float], mode: str) -> None:
    with pytest.raises(ValueError, match=r"must be finite|'max' or 'min'"):
        expected_best(np.array(values), mode)


def curves_of(values: list[float], states: list[str], sampler: str = "random", mode: str = "max") -> pd.DataFrame:
    rows = {"variant": "v", "stage": "search", "number": range(len(values)), "state": states, "value": values}
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    return tuning_curves(table, order=["v"], objective=Objective(mode=mode), sampler=sampler)


def test_the_default_comes_first_and_only_the_others_are_drawn() -> None:
    """Against every draw of k of the others, listed."""
    values = [0.6, 0.3, 0.9, 0.5]
    found = curves_of(values, ["complete"] * 4)
    for k in range(4):
        every = [max(values[0], *draw) if draw else values[0] for draw in itertools.product(values[1:], repeat=k)]
        row = found.iloc[k]
        assert (row["expected"], row["spread"]) == pytest.approx((np.mean(every), np.std(every)))
    mirrored = curves_of([-value for value in values], ["complete"] * 4, mode="min")
    np.testing.assert_allclose(mirrored[["best", "expected"]], -found[["best", "expected"]])
    np.testing.assert_allclose(mirrored["spread"], found["spread"])


def test_pruned_and_failed_trials_take_a_place_and_cannot_win() -> None:
    """Pruned .99 counts as the best complete .8 among the draws, pruned .4 as it is, the failed one as the least."""
    states = ["pruned", "complete", "pruned", "failed", "complete"]
    found = curves_of([0.99, 0.7, 0.4, np.nan, 0.8], states)
    assert found["trials"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(found["best"], [np.nan, 0.7, 0.7, 0.7, 0.8])
    np.testing.assert_allclose(found["expected"], 0.8)  # the default already counts as that
    late = curves_of([0.5, 0.7, 0.4, np.nan, 0.8], ["complete", "complete", "pruned", "failed", "complete"])
    for k, row in enumerate(late.to_dict("records")):
        every = [max(0.5, *draw) if draw else 0.5 for draw in itertools.product((0.7, 0.4, 0.4, 0.8), repeat=k)]
        assert row["expected"] == pytest.approx(np.mean(every))
    assert curves_of([0.9, 0.6], ["pruned", "pruned"])["best"].tolist() == [0.9, 0.9]  # it is then run to its end
    assert curves_of([np.nan], ["failed"]).empty


def test_of_other_samplers_the_running_best_alone_is_reported(trials: pd.DataFrame) -> None:
    found = curves_of([0.6, 0.3, 0.9], ["complete"] * 3, sampler="tpe")
    assert found["best"].tolist() == [0.6, 0.6, 0.9] and found[["expected", "spread"]].isna().all(axis=None)
    curves = tuning_curves(trials, order=["gmic", "new"], objective=Objective(), sampler="random")
    assert set(curves["variant"]) == {"gmic"} and curves["best"].tolist() == [0.9] * 3  # not the pruned .99
