"""Built-in architectures, a folder a paper: `component` declares parameters and facts, `model` is the network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import Component, hookimpl
from harness_architectures.a_mil.component import A_MIL
from harness_architectures.ag_cnn.component import AG_CNN
from harness_architectures.attention_pooling.component import ATTENTION_POOLING
from harness_architectures.cnn.component import CNN
from harness_architectures.dmv_cnn.component import DMV_CNN
from harness_architectures.faster_rcnn.component import FASTER_RCNN
from harness_architectures.glam.component import GLAM
from harness_architectures.gmic.component import GMIC
from harness_architectures.gmic.gmic_2019 import GMIC_2019
from harness_architectures.mil.attention_mil.component import ATTENTION_MIL
from harness_architectures.mil.clam.component import CLAM
from harness_architectures.mil.dsmil.component import DSMIL
from harness_architectures.mil.transmil.component import TRANSMIL
from harness_architectures.pixel_labels.component import PIXEL_LABELS
from harness_architectures.pixel_labels.heat_maps import HEAT_MAPS


@hookimpl
def harness_architectures() -> Iterable[Component[Any]]:
    """Yield the architectures of this package."""
    yield from (A_MIL, AG_CNN, ATTENTION_POOLING, CNN, DMV_CNN, FASTER_RCNN, GLAM, GMIC, GMIC_2019)
    yield from (ATTENTION_MIL, CLAM, DSMIL, TRANSMIL)
    yield from (PIXEL_LABELS, HEAT_MAPS)
