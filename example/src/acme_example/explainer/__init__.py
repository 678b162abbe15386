"""The explainer `brightness`: its parameters and declaration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_brightness(*, power: float = 1.0) -> Explainer:
    """Build the image itself as a map.

    Args:
        power: exponent of the brightness, above 0; a high one leaves the brightest pixels.
    """
    from acme_example.explainer.network import Brightness

    return Brightness(power)


def brightness_facts(*, power: float) -> dict[str, object]:
    """Return the cost in passes of the network, for the plan.

    Raises:
        ValueError: a parameter is out of range.
    """
    if power <= 0:
        raise ValueError(f"`power > 0` must hold, but got {power=}.")
    return {"cost": {"forwards": 0}}


@hookimpl
def harness_explainers() -> Iterable[Component[Explainer]]:
    """Yield the explainers of this package."""
    reason = "it never asks the model"
    yield Component(
        name="brightness",
        build=build_brightness,
        facts=brightness_facts,
        summary="bright pixels, whatever the model",
        xfail={
            "a_planted_spot_is_found": reason,
            "a_failure_names_explainer_and_cause_and_leaves_the_model_as_it_was": reason,
        },
    )
