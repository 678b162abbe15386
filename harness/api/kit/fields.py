"""The receptive field of a backbone as built by default, for `harness plugin show`. Builds and runs the network."""

from __future__ import annotations

from typing import Any

from harness.contract.components import Component

SIDE_PX = 256
"""Side of the images in which the effective field is measured; a wider one shows as this."""


def receptive_field(component: Component[Any]) -> dict[str, list[int]]:
    """Return `theoretical` and `effective` height and width in pixels, as far as the network can be built and run.

    The effective field holds 95 % of the middle cell's squared gradient, on initial weights.
    """
    import torch

    from harness.contract.grids import effective_field, trace

    images = torch.zeros(1, 1, SIDE_PX, SIDE_PX)
    try:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            net = component.build(1)
            traced = trace(net, images)
            known = {} if traced is None else {"theoretical": list(traced.field)}
            return {**known, "effective": list(effective_field(net, images))}
    except Exception:  # a third-party network may take other images, or need a file
        return {}
