"""The next configuration of a space with finitely many: none is proposed twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

from harness.config import space

_DRAWS = 20
"""How often the sampler is asked before the first untried configuration of the grid is taken."""


def untried(study: optuna.Study, tree: space.Tree, number: int, grid: bool) -> Mapping[str, Any] | None:
    """Return parameters that no trial of the study has, None if all have been tried.

    The sampler draws on a copy of the study in memory, so that what it draws twice leaves no trial behind.

    Args:
        study: with its sampler and all earlier trials, those that run included.
        tree: with finitely many configurations.
        number: of the trial, from 0.
        grid: take the configurations in the order of the grid.
    """
    if number >= (space.size(tree) or 0):
        return None
    if grid:
        return space.grid(tree)[number]
    trials = study.get_trials(deepcopy=False)
    copy = optuna.create_study(sampler=study.sampler, direction=study.direction)
    copy.add_trials(trials)
    for _ in range(_DRAWS):
        _, params = space.sample(tree, copy.ask())
        if not any(space.same_point(params, trial.params) for trial in trials):
            return params
    points = (point for point in space.grid(tree) if not any(space.same_point(point, t.params) for t in trials))
    return next(points, None)
