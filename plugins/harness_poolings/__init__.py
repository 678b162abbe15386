"""Built-in poolings, a file each with parameters and facts; `modules` are the networks, `functional` the arithmetic.

Every builder is given `features`, the width of what attention looks at, and `outputs`, the number of weight maps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_poolings.attention import ATTENTION, GATED_ATTENTION
from harness_poolings.bounded_attention import BOUNDED_ATTENTION
from harness_poolings.lse import LSE
from harness_poolings.max import MAX
from harness_poolings.mean import MEAN, UNIFORM
from harness_poolings.noisy_or import NOISY_OR
from harness_poolings.squared_attention import SQUARED_ATTENTION
from harness_poolings.top_fraction import TOP_FRACTION


@hookimpl
def harness_poolings() -> Iterable[Component[Any]]:
    """Yield the poolings of this package."""
    yield from (MEAN, MAX, TOP_FRACTION, LSE, NOISY_OR)
    yield from (ATTENTION, GATED_ATTENTION, SQUARED_ATTENTION, BOUNDED_ATTENTION, UNIFORM)
