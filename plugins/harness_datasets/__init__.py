"""Data sets that come with the harness: `builders` declares them, the files beside it are what they build."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl
from harness_datasets.chest_phantom.component import CHEST_PHANTOM
from harness_datasets.digit_bags.component import DIGIT_BAGS, MNIST_BAGS
from harness_datasets.feature_bags.component import FEATURE_BAGS
from harness_datasets.histology_phantom.component import HISTOLOGY_PHANTOM
from harness_datasets.manifest.component import MANIFEST

# The components, not their modules: those have namesakes here, which would take their place once imported.
from harness_datasets.shared.breasts import NEEDLE_DIGITS, PHANTOM_EXAMS, PHANTOM_MAMMOGRAMS
from harness_datasets.skin_ultrasound.component import SKIN_ULTRASOUND

if TYPE_CHECKING:
    from harness import Dataset


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """The built-in data sets."""
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
