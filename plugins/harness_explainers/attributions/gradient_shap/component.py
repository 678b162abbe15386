"""`gradient_shap`: its parameters, facts and declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import Component
from harness_explainers.attributions.choices import Baseline, Sign
from harness_explainers.facts import COMMON, at_least_one

if TYPE_CHECKING:
    from harness.nn import Explainer


def build_gradient_shap(
    *,
    samples: int = 5,
    noise: float = 0.09,
    spread: float = 0.001,
    baseline: Baseline = "zero",
    sign: Sign = "positive",
    seed: int = 0,
) -> Explainer:
    """Build expected gradients.

    Args:
        samples: noisy images, each with a baseline and a point of its own; at least 1.
        noise: standard deviation of the noise, in the units of the image as the model is given it; at least 0.
        spread: standard deviation of the baselines around `baseline`; at least 0.
        baseline: "zero", or each image's "darkest" value.
        sign: what speaks for the class, against it, or both.
        seed: of the draws.
    """
    from harness_explainers.attributions.gradient_shap.explainer import GradientShap

    gradient_shap_facts(samples=samples)
    if noise < 0 or spread < 0:
        raise ValueError(f"`noise >= 0` and `spread >= 0` must hold, but got {noise=}, {spread=}.")
    return GradientShap("gradient_shap", samples, noise, spread, baseline, sign, seed)


def gradient_shap_facts(*, samples: int, **_: Any) -> Mapping[str, Any]:
    """Return the cost: `samples` forward and backward passes.

    Raises:
        ValueError: the parameters cannot work.
    """
    at_least_one(samples=samples)
    return {"cost": {"forwards": samples, "backwards": samples}}


GRADIENT_SHAP: Component[Explainer] = Component(
    name="gradient_shap",
    build=build_gradient_shap,
    facts=gradient_shap_facts,
    summary="gradients averaged over noisy images and random points on the way from blank ones",
    source="Lundberg & Lee 2017, NeurIPS; Erion et al. 2021, Nature Machine Intelligence",
    assumed={**COMMON, "noise": "of the image as the model is given it, whatever its normalisation"},
)
