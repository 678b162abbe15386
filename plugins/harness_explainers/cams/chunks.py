"""Facts of the CAMs that ask the network once a channel, some channels at a time. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness_explainers.facts import at_least_one


def every_channel(*, chunk: int) -> Mapping[str, Any]:
    """Return the cost: a pass of the image, and one for each channel of the layer."""
    at_least_one(chunk=chunk)
    return {"cost": {"forwards": 1, "forwards_per_channel": 1}}
