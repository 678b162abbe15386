"""Tiny samples of several instances for tests: bags of noise, some with a bright square, as images or vectors."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contract.components import Component
from harness.contract.dataset import Dataset
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.types import Sample, SampleKind, Split, Task
from harness.testing.fakes import tiny_catalog

if TYPE_CHECKING:
    import numpy as np

    from harness.contract.nn import Model

VIEWS = ("left", "right", "top")
SIDE = 8
_COUNTS: Mapping[str, int] = {"train": 16, "val": 8, "test": 8}


def bag_catalog() -> Catalog:
    """Return the tiny catalog with `square_bags` and `tiny_mil`."""
    catalog = tiny_catalog()
    catalog.register(sys.modules[__name__])
    assert not catalog.broken, catalog.broken
    return catalog


class SquareBags(Dataset):
    """Samples of one to four instances; one instance is bright if the label is 1.

    Args:
        sample: "bag", "views" (one of three is missing in every second sample) or "features".
    """

    def __init__(self, sample: SampleKind) -> None:
        self.task = bag_task(sample=sample)
        self._digest = hashlib.sha256(f"square_bags 1 {sample}".encode()).hexdigest()

    @property
    def digest(self) -> str:
        """The digest of the parameter."""
        return self._digest

    def split(self, name: Split) -> Sequence[Sample]:
        """Return samples with alternating labels, each of its own patient."""
        return [
            Sample(id=f"{name}{n}", group=f"{name}{n}", unit=f"{name}{n}", labels=(float(n % 2),), source=n)
            for n in range(_COUNTS.get(name, 0))
        ]

    def read(self, sample: Sample) -> np.ndarray | Sequence[np.ndarray | None]:
        """Return noise and, if the label is 1, the bright instance."""
        import numpy as np

        rng = np.random.default_rng(list(sample.id.encode()))
        count = len(VIEWS) if self.task.sample == "views" else 1 + int(sample.source) // 2 % 4
        chosen = int(rng.integers(count))
        if self.task.sample == "features":
            vectors = rng.normal(0, 1, (count, self.task.features)).astype(np.float32)
            vectors[chosen] += 3 * sample.labels[0]
            return vectors
        images = rng.integers(0, 60, (count, SIDE, SIDE), np.uint8)
        images[chosen, 2:6, 2:6] += np.uint8(180 * sample.labels[0])
        if self.task.sample == "bag":
            return images
        missing = (chosen + 1) % count if sample.source // 2 % 2 else -1
        return [None if slot == missing else image for slot, image in enumerate(images)]

    def read_coords(self, sample: Sample) -> np.ndarray | None:
        """Return the place of each feature vector."""
        import numpy as np

        if self.task.sample != "features":
            return None
        count = 1 + int(sample.source) // 2 % 4
        return np.stack([np.arange(count), np.full(count, sample.source)], 1).astype(np.float32)


def bag_task(*, sample: SampleKind = "bag", **_: Any) -> Task:
    """Return the task of `square_bags`."""
    views, features = (VIEWS if sample == "views" else ()), (6 if sample == "features" else 0)
    size = (0, 0) if features else (SIDE, SIDE)
    return Task(classes=("bright",), image_size=size, sample=sample, views=views, features=features)


def build_square_bags(root: Path, /, *, sample: SampleKind = "bag") -> Dataset:
    """Return `SquareBags`."""
    return SquareBags(sample)


def build_tiny_mil(task: Task, /) -> Model:
    """Return `fake_models.TinyMil`."""
    from harness.testing.fake_models import TinyMil

    return TinyMil(task)


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """Yield the tiny bags."""
    yield Component(name="square_bags", build=build_square_bags, summary="bags with a bright square", task=bag_task)


@hookimpl
def harness_architectures() -> Iterable[Component[Model]]:
    """Yield a model of bags."""
    yield Component(
        name="tiny_mil",
        build=build_tiny_mil,
        summary="the highest score of a bag's instances",
        needs=frozenset({"instances"}),
    )
