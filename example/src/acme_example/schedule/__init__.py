"""The schedule `staircase`: its parameters and declaration. A schedule needs no torch."""

from __future__ import annotations

from collections.abc import Iterable

from harness import Component, Schedule, hookimpl


def build_staircase(steps: int, epochs: int, /, *, stairs: int = 4) -> Schedule:
    """Build stairs of equal height and length.

    Args:
        steps: number of steps of the phase.
        epochs: number of epochs of the phase.
        stairs: their number, at least 1.
    """
    return lambda step: 1 - (step * stairs // steps) / stairs


def staircase_facts(*, stairs: int) -> dict[str, object]:
    """Check the parameters while the study is planned.

    Raises:
        ValueError: a parameter is out of range.
    """
    if stairs < 1:
        raise ValueError(f"`stairs >= 1` must hold, but got {stairs=}.")
    return {}


@hookimpl
def harness_schedules() -> Iterable[Component[Schedule]]:
    """Yield the schedules of this package."""
    yield Component(
        name="staircase",
        build=build_staircase,
        facts=staircase_facts,
        summary="down in equal stairs",
        space={"stairs": {"int": [2, 8]}},
    )
