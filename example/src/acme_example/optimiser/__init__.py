"""The optimiser `sign_sgd`: its parameters and declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from harness import Component, hookimpl

if TYPE_CHECKING:
    from torch.optim import Optimizer


def build_sign_sgd(
    groups: list[dict[str, Any]], lr: float, weight_decay: float, /, *, momentum: float = 0.9
) -> Optimizer:
    """Build steps of one length in each weight, by the sign of an averaged gradient.

    Args:
        groups: torch's parameter groups.
        lr: `train.lr` of the study.
        weight_decay: `train.weight_decay` of the study.
        momentum: weight of earlier gradients in the average, in [0, 1).
    """
    from acme_example.optimiser.network import SignSgd

    return SignSgd(groups, lr, weight_decay, momentum)


def sign_sgd_facts(*, momentum: float) -> dict[str, object]:
    """Check the parameters while the study is planned.

    Raises:
        ValueError: a parameter is out of range.
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"`0 <= momentum < 1` must hold, but got {momentum=}.")
    return {}


@hookimpl
def harness_optimisers() -> Iterable[Component[Optimizer]]:
    """Yield the optimisers of this package."""
    yield Component(
        name="sign_sgd",
        build=build_sign_sgd,
        facts=sign_sgd_facts,
        summary="the sign of an averaged gradient",
        space={"momentum": {"float": [0.5, 0.99]}},
    )
