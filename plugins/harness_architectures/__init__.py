"""Built-in systems, one package a paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_architectures import mil
from harness_architectures.a_mil import component as a_mil
from harness_architectures.ag_cnn import component as ag_cnn
from harness_architectures.attention_pooling import component as attention_pooling
from harness_architectures.cnn import component as cnn
from harness_architectures.dmv_cnn import component as dmv_cnn
from harness_architectures.faster_rcnn import component as faster_rcnn
from harness_architectures.glam import component as glam
from harness_architectures.gmic import component as gmic
from harness_architectures.gmic import gmic_2019
from harness_architectures.pixel_labels import component as pixel_labels


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
