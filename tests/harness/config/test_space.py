"""The search DSL: what a table means, and laws of sampling from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.distributions import check, is_distribution, read
from harness.config.space import concretes, contradictions, default_params, distributions, grid, sample, searched, size
from harness.contract.errors import Problems

TREE = {
    "train": {"lr": {"log10": [-5.5, -4]}, "epochs": 3},
    "model": {
        "use": "bag",
        "crops": {"int": [1, 6]},
        "pooling": {
            "choice": [
                {"use": "mean"},
                {"use": "top", "fraction": {"float": [0.01, 0.2], "log": True}},
                {"use": "attention", "dim": {"choice": [64, 128]}},
            ]
        },
    },
}


class Ends:
    """A trial that takes one end of every range, and the option at one end of every choice."""

    def __init__(self, last: bool) -> None:
        self.last = last

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return high if self.last else low

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return high if self.last else low

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return choices[-1 if self.last else 0]


def _problems(table: Any) -> list[str]:
    problems = Problems("")
    check(table, problems, "x")
    return problems.messages


finite = st.floats(-1e6, 1e6, allow_nan=False)
scalars = st.one_of(st.integers(-9, 9), st.text("abc", min_size=1, max_size=3))


@st.composite
def ranges(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["float", "float log", "int", "int log", "int step", "log10"]))
    if kind == "log10":
        exponents = st.floats(-9, 3).filter(lambda exponent: not 0 < exponent <= 0.1)
        low, high = sorted(draw(st.tuples(exponents, exponents)))
        table: dict[str, Any] = {"log10": [low, high]}
    elif kind.startswith("float"):
        positive = st.floats(1e-6, 1e6) if kind == "float log" else finite
        low, high = sorted(draw(st.tuples(positive, positive)))
        table = {"float": [low, high]} | ({"log": True} if kind == "float log" else {})
    else:
        low, steps, step = draw(st.integers(1, 50)), draw(st.integers(0, 9)), draw(st.integers(1, 5))
        step = step if kind == "int step" else 1
        high = low + steps * step
        table = {"int": [low, high]} | ({"step": step} if kind == "int step" else {})
        table |= {"log": True} if kind == "int log" else {}
        return table | ({"default": low + draw(st.integers(0, steps)) * step} if draw(st.booleans()) else {})
    return table | ({"default": draw(st.floats(low, high))} if draw(st.booleans()) else {})


def trees(depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    keys = st.text("abcdefgh", min_size=1, max_size=4)
    inner = st.one_of(scalars, ranges(), st.lists(scalars, max_size=2))
    if depth:
        options = st.lists(scalars, min_size=1, max_size=3, unique_by=str).map(lambda found: {"choice": found})
        tables = st.lists(trees(depth - 1), min_size=1, max_size=3).map(_named_options)
        inner = st.one_of(inner, options, tables, trees(depth - 1))
    return st.dictionaries(keys, inner, max_size=4)


def _named_options(tables: list[dict[str, Any]]) -> dict[str, Any]:
    # Keys of their own, so that no parameter means two ranges.
    renamed = [{f"o{index}{key}": value for key, value in table.items()} for index, table in enumerate(tables)]
    return {"choice": [{"use": f"component{index}", **table} for index, table in enumerate(renamed)]}


@given(trees(), st.booleans())
def test_a_sampled_tree_has_no_distributions_left(tree: dict[str, Any], last: bool) -> None:
    sampled, params = sample(tree, Ends(last))
    assert not list(distributions(sampled))
    assert set(params) <= set(searched(tree))


@given(trees())
def test_the_default_trial_is_within_every_range(tree: dict[str, Any]) -> None:
    trial = optuna.trial.FixedTrial(default_params(tree))
    sampled, params = sample(tree, trial)
    assert params == default_params(tree)
    for name, distribution in trial.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(params[name]))
    assert sampled == concretes(tree)[0]


@given(trees())
def test_concrete_trees_have_no_distributions_and_know_every_end(tree: dict[str, Any]) -> None:
    found = concretes(tree)
    assert not any(list(distributions(one)) for one in found)
    for last in (False, True):
        ends, params = sample(tree, Ends(last))
        if len(params) == 1:
            assert ends in found


@given(trees())
def test_a_tree_without_ranges_is_sampled_as_it_is(tree: dict[str, Any]) -> None:
    fixed, _ = sample(tree, Ends(False))
    assert sample(fixed, Ends(True)) == (fixed, {})


@given(ranges())
def test_every_drawn_range_is_sound(table: dict[str, Any]) -> None:
    assert is_distribution(table)
    assert _problems(table) == []


def test_log10_bounds_and_default_are_exponents_and_the_value_is_recorded() -> None:
    tree = {"lr": {"log10": [-5.5, -4], "default": -4.5}}
    assert default_params(tree) == {"lr": 10.0**-4.5}
    assert sample(tree, Ends(False))[1] == {"lr": 10.0**-5.5}
    assert sample(tree, Ends(True))[0] == {"lr": 1e-4}


@pytest.mark.parametrize(
    ("table", "middle"),
    [
        ({"float": [0.0, 1.0]}, 0.5),
        ({"float": [0.01, 1.0], "log": True}, 0.1),
        ({"log10": [-5, -3]}, 1e-4),
        ({"int": [1, 6]}, 3),
        ({"int": [1, 100], "log": True}, 10),
        ({"int": [2, 10], "step": 4}, 6),
        ({"float": [0.0, 0.4], "step": 0.2}, 0.2),
        ({"choice": ["b", "a"]}, "b"),
    ],
)
def test_without_a_default_the_middle_is_meant(table: dict[str, Any], middle: Any) -> None:
    value = default_params({"x": table})["x"]
    assert value == (pytest.approx(middle) if isinstance(middle, float) else middle)
    assert type(value) is type(middle)


def test_optuna_sees_an_options_label_and_never_the_table() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    tree, params = sample(TREE, trial)
    assert trial.distributions["model.pooling"].choices == ("mean", "top", "attention")
    assert tree["model"]["pooling"]["use"] == params["model.pooling"]


def test_what_is_inside_an_option_is_sampled_only_if_it_is_picked() -> None:
    assert set(default_params(TREE)) == {"train.lr", "model.crops", "model.pooling"}
    trial = optuna.trial.FixedTrial({"train.lr": 1e-5, "model.crops": 2, "model.pooling": "attention"} | {DIM: 128})
    tree, params = sample(TREE, trial)
    assert tree["model"]["pooling"] == {"use": "attention", "dim": 128}
    assert "model.pooling.fraction" not in params


DIM = "model.pooling.dim"


def test_two_options_of_one_component_are_distinguished_by_their_parameters() -> None:
    tree = {"pooling": {"choice": [{"use": "top", "fraction": 0.1}, {"use": "top", "fraction": 0.2}]}}
    assert [point["pooling"] for point in grid(tree)] == ["top(fraction=0.1)", "top(fraction=0.2)"]


def test_searched_names_parameters_inside_options_too() -> None:
    expected = ("train.lr", "model.crops", "model.pooling", "model.pooling.fraction", DIM)
    assert searched(TREE) == expected


def test_a_grid_has_every_combination_once_and_begins_with_the_default() -> None:
    tree = {
        "a": {"int": [1, 3], "default": 2},
        "b": {"choice": [{"use": "x"}, {"use": "y", "c": {"float": [0.0, 1.0], "step": 0.5}}]},
    }
    points = grid(tree)
    assert points[0] == {"a": 2, "b": "x"}
    assert len(points) == 3 * (1 + 3) == len({str(sorted(point.items())) for point in points})
    for point in points:
        assert sample(tree, optuna.trial.FixedTrial(point))[1] == point


def test_a_grid_of_a_continuous_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a grid needs a `step` or a `choice`, but train\.lr is continuous"):
        grid({"train": {"lr": {"log10": [-4, -2]}}})


def test_one_name_for_two_ranges_is_a_contradiction() -> None:
    option = {"use": "x", "dim": {"int": [1, 2]}}
    same = {"a": {"choice": [option, {**option, "use": "y"}]}}
    other = {"a": {"choice": [option, {"use": "y", "dim": {"int": [1, 3]}}]}}
    assert contradictions(same) == ()
    assert contradictions(other) == ("a.dim",)


def test_a_components_table_is_never_a_range() -> None:
    assert not is_distribution({"use": "x", "float": 3})
    assert not is_distribution({"a": 1})
    assert not is_distribution([1, 2])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"float": [0, 1], "int": [0, 1]}, "x: a range is one of float, int, log10, choice, found float and int"),
        ({"float": [0, 1], "lgo": True}, "x.lgo: 'float' takes float, log, step, default; did you mean 'log'?"),
        ({"log10": [0, 1], "log": True}, "x.log: 'log10' takes log10, default; did you mean 'log10'?"),
        ({"float": [1, 0]}, "x.float: the lower bound comes first, found [1, 0]"),
        ({"float": 3}, "x.float: expected [low, high], two finite numbers, found 3"),
        ({"float": [0, math.inf]}, "x.float: expected [low, high], two finite numbers, found [0, inf]"),
        ({"int": [1, 2.5]}, "x.int: expected [low, high], two whole numbers, found [1, 2.5]"),
        ({"int": [True, 2]}, "x.int: expected [low, high], two whole numbers, found [True, 2]"),
        ({"float": [0, 1], "log": True}, "x.float: a log scale begins above 0, found [0, 1]"),
        ({"float": [1, 2], "log": "yes"}, "x.log: expected true or false, found 'yes'"),
        (
            {"log10": [1e-5, 1e-3]},
            "x.log10: the bounds are exponents: [1e-05, 0.001] searches 1.00002 to 1.00231; for 1e-05 to 0.001 write "
            "{ log10 = [-5, -3] } or { float = [1e-05, 0.001], log = true }",
        ),
        ({"log10": [-4, 999]}, "x.log10: the bounds are exponents of 10, found [-4, 999]"),
        ({"log10": [-4, -2], "default": 0.001}, "x.default: 0.001 is outside [-4, -2]"),
        ({"int": [1, 6], "default": 2.5}, "x.default: expected a whole number, found 2.5"),
        ({"int": [1, 6], "step": 2}, "x.step: 6 is not a whole number of steps of 2 above 1"),
        ({"int": [1, 7], "step": 2, "default": 2}, "x.default: 2 is not on the grid of step 2 from 1"),
        ({"int": [1, 7], "step": 0}, "x.step: expected a number above 0, found 0"),
        ({"int": [1, 7], "step": 2, "log": True}, "x.step: a log scale has no step"),
        ({"choice": []}, "x.choice: expected a list of options, found []"),
        ({"choice": [1, 1]}, "x.choice: the option 1 is given twice"),
        ({"choice": [{"use": "a"}, {"use": "a"}]}, "x.choice: the option 'a' is given twice"),
        ({"choice": ["a", "b"], "default": "c"}, "x.default: 'c' is not one of a, b"),
    ],
)
def test_an_unsound_range_is_explained(table: dict[str, Any], message: str) -> None:
    assert _problems(table) == [message]


def test_a_choice_of_ranges_is_refused() -> None:
    assert _problems({"choice": [1, {"float": [0, 1]}]}) == [
        "x.choice: an option is a value or a table, not a range; write one range for all of it"
    ]


@pytest.mark.parametrize(
    ("tree", "points"),
    [
        ({"a": 1}, 1),
        ({"a": {"choice": [1, 2]}, "b": {"int": [2, 8], "step": 3}}, 6),
        ({"a": {"choice": [{"use": "x"}, {"use": "y", "n": {"int": [1, 4], "log": True}}]}}, 5),
        ({"a": {"float": [0.0, 0.3], "step": 0.1}}, 4),
        ({"a": {"choice": [1, 2]}, "b": {"float": [0, 1]}}, None),
        ({"a": {"float": [2, 2]}}, 1),
    ],
)
def test_a_space_says_how_many_points_it_has(tree: dict[str, Any], points: int | None) -> None:
    assert size(tree) == points
    assert points is None or len(grid(tree)) == points


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"log10": [-5, -3]}, "1e-05 to 0.001, log scale"),
        ({"int": [1, 9], "step": 2}, "1 to 9 in steps of 2"),
        ({"choice": ["sgd", {"use": "adam", "lr": 1}]}, "one of sgd, adam"),
    ],
)
def test_a_range_reads_in_values(table: dict[str, Any], text: str) -> None:
    assert str(read(table)) == text
