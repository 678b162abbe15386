"""A study names metrics, or tables with parameters; what is wrong in them is named with its path, all at once."""

from __future__ import annotations

from typing import Any

import pytest

METRICS = 'metrics = ["auroc", "dice"]'


def named(planner: Any, *entries: str, more: str = "") -> str:
    return planner.replaced((METRICS, f"metrics = [{', '.join(entries)}]\n{more}"))


def test_a_bare_name_is_its_key_and_leaves_no_table(planner: Any) -> None:
    plan = planner.plan(named(planner, '"auroc"', '{ use = "brier" }'))
    assert (plan.metrics, plan.metric_tables) == (("auroc", "brier"), {})


def test_a_table_has_its_parameters_and_its_name(planner: Any) -> None:
    entries = '"auroc"', '{ use = "partial", share = 0.2 }', '{ use = "partial", share = 0.1, name = "tenth" }'
    plan = planner.plan(named(planner, *entries))
    assert plan.metrics == ("auroc", "partial", "tenth")
    tenth = {"use": "partial", "share": 0.1}
    assert plan.metric_tables == {"partial": {"use": "partial", "share": 0.2}, "tenth": tenth}


def test_a_metric_with_parameters_can_be_objective_and_claim(planner: Any) -> None:
    claim = 'claims = [{ says = "s", better = "plain", than = "gap", metric = "tenth" }]'
    table = '{ use = "brier", name = "error" }, { use = "partial", share = 0.1, name = "tenth" }'
    plan = planner.plan(named(planner, table, more=f'objective = {{ metric = "val/error" }}\n{claim}'))
    assert (plan.objective.metric, plan.objective.mode) == ("val/error", "min")
    assert plan.claims[0].metric == "tenth" and plan.metrics == ("error", "tenth")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (['{ use = "partial", shar = 0.2 }'], "study.metrics.0.shar: 'partial' takes share; did you mean 'share'?"),
        (['{ use = "partial", share = "a" }'], "study.metrics.0.share: expected float, found 'a'"),
        (
            ['{ use = "partial", share = 2.0 }'],
            "study.metrics.0: 'partial': `0 < share <= 1` must hold, but got share=2.0.",
        ),
        (['{ use = "partia" }'], "study.metrics.0.use: no metric named 'partia'; did you mean 'partial'?"),
        (
            ['"auroc"', '"auroc"'],
            "study.metrics.1: 'auroc' is named twice; give one of them a name, as `name = \"auroc_2\"`",
        ),
        (
            ['{ use = "partial", name = "brier" }'],
            "study.metrics.0: 'brier' is another metric's name, and this is 'partial'",
        ),
        (
            ['{ use = "partial", name = "A b" }'],
            "study.metrics.0: a name is made of small letters, digits and _, a letter first; found 'A b'",
        ),
        (
            ['"auroc"', '{ use = "partial", name = "auroc_low" }'],
            "study.metrics.1: 'auroc_low' is also a column that the tables derive from 'auroc'; give it another name, "
            'as `name = "my_metric"`',
        ),
        (
            ['{ use = "partial", name = "seed" }'],
            "study.metrics.0: 'seed' is also a column of every table; give it another name, as `name = \"my_metric\"`",
        ),
        (
            ['{ use = "partial", name = "tenth_p" }', '{ use = "partial", share = 0.1, name = "tenth" }'],
            "study.metrics.0: 'tenth_p' is also a column that the tables derive from 'tenth'; give it another name, "
            'as `name = "my_metric"`',
        ),
    ],
)
def test_a_mistake_is_named_with_its_path(planner: Any, entries: list[str], message: str) -> None:
    assert planner.problems(named(planner, *entries)) == [f"study.toml: {message}"]


@pytest.mark.parametrize("margin", ["within", "not_below"])
def test_a_margin_is_smaller_than_the_range_of_its_metric(planner: Any, margin: str) -> None:
    claim = '{{ says = "s", better = "plain", than = "gap", metric = "{}", {} = {} }}'
    claims = [claim.format("auroc", margin, 0.99), claim.format("auroc", margin, 1.0)]
    claims += [claim.format("distance", margin, 12.5), claim.format("gain", margin, 2.5)]
    entries = '"auroc"', '"distance"', '"gain"'
    assert planner.problems(named(planner, *entries, more=f"claims = [{', '.join(claims)}]")) == [
        f"study.toml: study.claims.1.{margin}: must be less than 1: 'auroc' lies in [0, 1], found 1.0",
        f"study.toml: study.claims.3.{margin}: must be less than 2: 'gain' lies in [-1, 1], found 2.5",
    ]


def test_all_mistakes_of_metrics_are_reported_at_once(planner: Any) -> None:
    claim = 'claims = [{ says = "s", better = "plain", than = "gap", metric = "brier" }]'
    more = f'objective = {{ metric = "val/fitted" }}\n{claim}'
    found = planner.problems(named(planner, '"aurco"', '{ use = "partial", share = 0.0 }', more=more))
    assert [line.partition(": ")[2] for line in found] == [
        "study.metrics.0: no metric named 'aurco'; did you mean 'auroc'?",
        "study.metrics.1: 'partial': `0 < share <= 1` must hold, but got share=0.0.",
        "study.objective.metric: 'fitted' fits a threshold on val, the split that a search is judged by",
        "study.claims.0.metric: the study does not measure 'brier'; name it in study.metrics",
    ]


def test_metrics_with_parameters_change_no_identity(planner: Any) -> None:
    plain, other = planner.plan(), planner.plan(named(planner, '"auroc"', '{ use = "partial", share = 0.2 }'))
    assert [item.id for item in plain.variants] == [item.id for item in other.variants]
