"""`lse`: log-sum-exp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import Component


def build_lse(features: int, outputs: int, /, *, sharpness: float = 5.0) -> Any:
    """Build log-sum-exp.

    Args:
        features: not used.
        outputs: not used.
        sharpness: factor inside the exponential, above 0; near 0 gives the mean, a large one the maximum.
    """
    from harness_poolings.modules import LogSumExp

    lse_facts(1, sharpness=sharpness)
    return LogSumExp(sharpness)


def lse_facts(cells: int, /, *, sharpness: float) -> Mapping[str, Any]:
    """Check the sharpness."""
    if not sharpness > 0:
        raise ValueError(f"`sharpness > 0` must hold, but got {sharpness=}.")
    return {}


LSE: Component[Any] = Component(
    name="lse",
    build=build_lse,
    facts=lse_facts,
    summary="log-sum-exp: a soft maximum",
    source="Pinheiro, Collobert 2015, CVPR",
    space={"sharpness": {"float": [1.0, 20.0], "log": True}},
    assumed={"sharpness": "5, the value of Pinheiro and Collobert; GMIC's papers do not use it"},
)
