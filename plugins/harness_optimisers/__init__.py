"""Built-in optimisers. Given parameter groups, learning rate and weight decay; returns a torch Optimizer.

`ours` has those of the published models, `of_timm` timm's, under timm's names and with timm's defaults.
The harness hands each its groups: timm's own factory would exempt biases and norms from weight decay. Left out are
optimisers that need second derivatives (adahessian), keep random numbers outside their state (kron), or are not in
every supported version of timm (muon). To add one, state it in one of these files: the hook finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl


@hookimpl
def harness_optimisers() -> Iterable[Component[Any]]:
    """Return every optimiser of this package."""
    from harness_optimisers import of_timm, ours

    for module in (ours, of_timm):
        yield from (item for item in vars(module).values() if isinstance(item, Component))
