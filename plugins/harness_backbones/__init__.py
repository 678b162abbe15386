"""Built-in backbones, a folder each: `component` declares parameters and facts, `model` is the network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_backbones.googlenet.component import GOOGLENET
from harness_backbones.resnet22.component import RESNET22
from harness_backbones.timm.component import TIMM
from harness_backbones.unit_resnet.component import UNIT_RESNET


@hookimpl
def harness_backbones() -> Iterable[Component[Any]]:
    """Yield the backbones of this package."""
    yield RESNET22
    yield GOOGLENET
    yield TIMM
    yield UNIT_RESNET
