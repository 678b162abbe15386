"""`integrated_gradients`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import Component
from harness_explainers.attributions.choices import Baseline, Sign
from harness_explainers.facts import COMMON, at_least_one

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_integrated_gradients(
    *,
    steps: int = 50,
    baseline: Baseline = "zero",
    sign: Sign = "positive",
    chunk: int = 10,
) -> Explainer:
    """Build integrated gradients.

    Args:
        steps: points on the way from the baseline to the image; at least 1.
        baseline: "zero" as the model is given it, or each image's "darkest" value.
        sign: what speaks for the class, against it, or both.
        chunk: of them in one forward and backward pass; at least 1.
    """
    from harness_explainers.attributions.integrated_gradients.explainer import IntegratedGradients

    integrated_gradients_facts(steps=steps, chunk=chunk)
    return IntegratedGradients("integrated_gradients", steps, baseline, sign, chunk)


def integrated_gradients_facts(*, steps: int, chunk: int, **_: Any) -> Mapping[str, Any]:
    """Return the cost: `steps` forward and backward passes.

    Raises:
        ValueError: the parameters cannot work.
    """
    at_least_one(steps=steps, chunk=chunk)
    return {"cost": {"forwards": steps, "backwards": steps}}


INTEGRATED_GRADIENTS: Component[Explainer] = Component(
    name="integrated_gradients",
    build=build_integrated_gradients,
    facts=integrated_gradients_facts,
    summary="gradients integrated from a blank image to the image, times their difference",
    source="Sundararajan et al. 2017, ICML",
    tiny={"steps": 8},
    assumed={**COMMON, "rule": "Gauss-Legendre"},
)
