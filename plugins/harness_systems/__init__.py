"""Built-in systems, one package a paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_systems import (
    a_mil,
    ag_cnn,
    attention_pooling,
    cnn,
    dmv_cnn,
    faster_rcnn,
    glam,
    gmic,
    gmic_2019,
    mil,
    pixel_labels,
)


@hookimpl
def harness_architectures() -> Iterable[Component[Any]]:
    """The architectures of this package."""
    yield a_mil.COMPONENT
    yield ag_cnn.COMPONENT
    yield attention_pooling.COMPONENT
    yield cnn.COMPONENT
    yield dmv_cnn.COMPONENT
    yield faster_rcnn.COMPONENT
    yield glam.COMPONENT
    yield gmic.COMPONENT
    yield gmic_2019.COMPONENT
    yield from mil.COMPONENTS
    yield pixel_labels.COMPONENT
    yield pixel_labels.READY
