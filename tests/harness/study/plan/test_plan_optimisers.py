"""Optimisers and schedules of [train] in a plan: by name, searched, set from the command line, refused."""

from __future__ import annotations

from typing import Any

import pytest

from harness.contract.loading.catalog import RESULTS_VERSION


def _train(planner: Any, line: str, *overrides: str, variant: str = "plain") -> dict[str, Any]:
    plan = planner.plan(planner.replaced(("epochs = 4", f"epochs = 4\n{line}")), *overrides)
    (tree,) = [item.tree["train"] for item in plan.variants if item.name == variant]
    return tree


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('optimiser = "lion"', {"use": "lion"}),
        ('optimiser = { use = "lion", betas = [0.95, 0.98] }', {"use": "lion", "betas": [0.95, 0.98]}),
        ("optimiser = { betas = [0.8, 0.9] }", {"use": "adam", "betas": [0.8, 0.9]}),
        ("", None),  # what is not written is not in the tree, so that it changes no identity
    ],
)
def test_an_optimiser_is_written_out_as_a_table(planner: Any, line: str, expected: Any) -> None:
    assert _train(planner, line).get("optimiser") == expected


def test_every_option_and_range_of_an_optimiser_is_searched(planner: Any) -> None:
    sgd = '{ use = "sgd", momentum = { float = [0.8, 0.99] } }'
    schedule = 'schedule = { use = "step", every = { int = [1, 3] } }'
    lines = f'epochs = 4\noptimiser = {{ choice = ["adamw", {sgd}] }}\n{schedule}'
    (plain, *_) = planner.plan(planner.replaced(("epochs = 4", lines))).variants
    assert set(plain.searched) == {"train.lr", "train.optimiser", "train.optimiser.momentum", "train.schedule.every"}
    assert plain.tree["train"]["optimiser"]["choice"][0] == {"use": "adamw"}


def test_every_mistake_is_reported_at_once(planner: Any) -> None:
    lines = 'optimiser = { use = "sgd", momentun = 0.5, nesterov = 1 }\nschedule = { use = "one_cicle" }\nclip = 0.0'
    found = planner.problems(planner.replaced(("epochs = 4", f"epochs = -1\n{lines}")))
    assert [line.removeprefix("study.toml: ") for line in found] == [
        "train.epochs: must be greater than or equal to 0, found -1",
        "train.clip: must be greater than 0, found 0.0",
        "train.optimiser.momentun: 'sgd' takes momentum, nesterov; did you mean 'momentum'?",
        "train.optimiser.nesterov: expected bool, found 1",
        "train.schedule.use: no schedule named 'one_cicle'; did you mean 'one_cycle'?",
    ]


def test_a_set_changes_the_optimiser_or_what_it_is_given(planner: Any) -> None:
    sgd = 'optimiser = { use = "sgd", nesterov = true }'
    assert _train(planner, sgd, "train.optimiser=lion")["optimiser"] == {"use": "lion"}
    assert _train(planner, sgd, "train.optimiser.momentum=0.5")["optimiser"]["momentum"] == 0.5
    assert _train(planner, "", "gap.train.optimiser.use=lion", variant="gap")["optimiser"] == {"use": "lion"}
    assert "optimiser" not in _train(planner, "", "gap.train.optimiser.use=lion")


def test_a_set_of_what_the_optimiser_does_not_take_applies_nowhere(planner: Any) -> None:
    (problem,) = planner.problems(planner.BASE, "train.optimiser.beta=[0.9, 0.9]")
    assert problem.endswith(
        "--set train.optimiser.beta: has no effect on any variant: 'adam' takes betas; did you mean 'betas'?"
    )


@pytest.mark.slow
def test_a_strangers_optimiser_enters_plugins_and_identities(planner: Any) -> None:
    text = planner.replaced(("epochs = 4", 'epochs = 4\noptimiser = { use = "odd", space = "default" }'))
    before, after = planner.plan(text), planner.plan(text, stranger="2.0")
    assert after.plugins == {"mil-harness": RESULTS_VERSION, "odd-pooling": "2.0"} and before.study_id != after.study_id
    assert "train.optimiser.damping" in after.variants[0].searched
