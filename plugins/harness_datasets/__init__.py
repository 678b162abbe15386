"""Data sets that come with the harness: `builders` declares them, the files beside it are what they build."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, hookimpl

# The components, not their modules: those have namesakes here, which would take their place once imported.
from harness_datasets.builders.breasts import NEEDLE_DIGITS, PHANTOM_EXAMS, PHANTOM_MAMMOGRAMS
from harness_datasets.builders.chest import CHEST_PHANTOM
from harness_datasets.builders.digit_bags import DIGIT_BAGS, MNIST_BAGS
from harness_datasets.builders.feature_bags import FEATURE_BAGS
from harness_datasets.builders.histology import HISTOLOGY_PHANTOM
from harness_datasets.builders.manifest import MANIFEST
from harness_datasets.builders.skin import SKIN_ULTRASOUND

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
