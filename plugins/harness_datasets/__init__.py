"""Built-in data sets, a folder each: `component` declares its parameters and task, `dataset` reads or draws it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl
from harness_datasets.chest_phantom.component import CHEST_PHANTOM
from harness_datasets.digit_bags.component import DIGIT_BAGS, MNIST_BAGS
from harness_datasets.feature_bags.component import FEATURE_BAGS
from harness_datasets.histology_phantom.component import HISTOLOGY_PHANTOM
from harness_datasets.manifest.component import MANIFEST
from harness_datasets.needle_digits.component import NEEDLE_DIGITS
from harness_datasets.phantom_exams.component import PHANTOM_EXAMS
from harness_datasets.phantom_mammograms.component import PHANTOM_MAMMOGRAMS
from harness_datasets.skin_ultrasound.component import SKIN_ULTRASOUND

if TYPE_CHECKING:
    from harness import Dataset


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """Yield the built-in data sets."""
    yield DIGIT_BAGS
    yield FEATURE_BAGS
    yield MNIST_BAGS
    yield PHANTOM_MAMMOGRAMS
    yield NEEDLE_DIGITS
    yield SKIN_ULTRASOUND
    yield MANIFEST
    yield CHEST_PHANTOM
    yield HISTOLOGY_PHANTOM
    yield PHANTOM_EXAMS
