"""Tiny real components for tests and overhead benchmarks: a data set of squares, two models, one metric.

Nothing here is a mock: a trial runs through all of harness in a fraction of a second.
The models are in `fake_models`, so that this module does not import torch.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.contract.components import Component
from harness.contract.dataset import Dataset
from harness.contract.keys import RANKED
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.hookspecs import hookimpl
from harness.contract.metrics import MetricRecord, Standing
from harness.contract.types import Sample, Split, Task, TrialSpec

if TYPE_CHECKING:
    import numpy as np

    from harness.contract.nn import Model
    from harness.metrics.functional import Array, Scores

CLASSES = ("bright", "dark")
_SHARES: dict[Split, float] = {"train": 2.0, "val": 1.0, "test": 1.0}
_EDGE = 5


def tiny_catalog() -> Catalog:
    """Return a fresh catalog of `squares`, `tiny_cnn`, `empty`, `auroc`, and the built-in optimisers and schedules."""
    catalog = Catalog.discover(only=("optimisers", "schedules"))
    catalog.register(sys.modules[__name__])
    assert not catalog.broken, catalog.broken
    return catalog


def tiny_spec(**changes: Any) -> TrialSpec:
    """Return a search trial of `tiny_cnn` on `squares`: two epochs of six steps.

    Args:
        changes: fields of TrialSpec; the tables `train`, `model` and `dataset` are merged into the tree.
    """
    tree = {
        "dataset": {"use": "squares", **changes.pop("dataset", {})},
        "train": {"epochs": 2, "batch_size": 8, "lr": 0.01, "optimiser": {"use": "adam"}, **changes.pop("train", {})},
        "model": {"use": "tiny_cnn", **changes.pop("model", {})},
    }
    known: dict[str, Any] = {"study": "tiny", "study_id": "0" * 16, "budget": "quick", "variant": "tiny"}
    known |= {"variant_id": "1" * 16, "stage": "search", "number": 0, "seed": 0, "tree": tree}
    return TrialSpec(**(known | changes))


class Squares(Dataset):
    """Noise images with a bright square, a dark square, both or neither; each square is a class.

    Args:
        root: the folder of the mask files, if masks are stored.
        images: size of the validation split; training has twice as many.
        size_px: edge of an image.
        unknown: fraction of training labels that are unknown.
        kind: "multiclass" draws exactly one of the two squares.
        stored: True if masks are kept in files, as real data sets have them.
    """

    def __init__(self, root: Path, images: int, size_px: int, unknown: float, kind: str, stored: bool) -> None:
        self.task = squares_task(kind=kind, size_px=size_px)
        self._root, self._images, self._unknown, self._stored = root, images, unknown, stored
        key = f"squares 1 {images} {size_px} {unknown} {kind}"
        self._digest = hashlib.sha256(key.encode()).hexdigest()

    @property
    def digest(self) -> str:
        """The digest of the parameters."""
        return self._digest

    def prepare(self) -> None:
        """Write the mask files of the validation and test splits, if masks are stored."""
        import numpy as np

        for sample in [*self.split("val"), *self.split("test")] if self._stored else []:
            path = self._mask_path(sample)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, self._draw(sample)[1])

    def split(self, name: Split) -> Sequence[Sample]:
        """Return samples with two images of each patient."""
        import numpy as np

        count = int(self._images * _SHARES.get(name, 0))
        random = np.random.default_rng([7, len(name), count])
        samples = []
        for number in range(count):
            first = float(random.random() < 0.5)
            second = 1 - first if self.task.kind == "multiclass" else float(random.random() < 0.5)
            labels = [first, second]
            if name == "train":
                labels = [float("nan") if random.random() < self._unknown else label for label in labels]
            key, patient = f"{name}{number}", f"{name}-p{number // 2}"
            samples.append(Sample(id=key, group=patient, unit=key, labels=tuple(labels), source=(first, second)))
        return samples

    def read(self, sample: Sample) -> np.ndarray:
        """Return the image, uint8 "h w"."""
        return self._draw(sample)[0]

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Return the squares, uint8 "k h w"."""
        import numpy as np

        if self._stored and self._mask_path(sample).exists():
            return np.asarray(np.load(self._mask_path(sample)))
        return self._draw(sample)[1]

    def mask_files(self) -> Iterable[Path]:
        """Return the files that `prepare` writes."""
        return [self._mask_path(sample) for sample in [*self.split("val"), *self.split("test")]] if self._stored else []

    def _mask_path(self, sample: Sample) -> Path:
        return self._root / "squares_masks" / f"{sample.id}.npy"

    def _draw(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        height, width = self.task.image_size
        random = np.random.default_rng(list(sample.id.encode()))
        image = random.normal(128, 12, (height, width))
        masks = np.zeros((2, height, width), np.uint8)
        for index, sign in enumerate((1, -1)):
            top, left = random.integers(0, height - _EDGE), random.integers(0, width - _EDGE)
            if sample.source[index]:
                masks[index, top : top + _EDGE, left : left + _EDGE] = 1
                image += sign * 70.0 * masks[index]
        return image.clip(0, 255).astype(np.uint8), masks


def squares_task(*, kind: str = "multilabel", size_px: int = 16, **_: Any) -> Task:
    """Return the task of `squares`, which is known before it is built."""
    return Task(kind=kind, classes=CLASSES, image_size=(size_px, size_px), mask_kind="outline")  # type: ignore[arg-type]


def build_squares(
    root: Path,
    /,
    *,
    images: int = 24,
    size_px: int = 16,
    unknown: float = 0.0,
    kind: Literal["multilabel", "multiclass"] = "multilabel",
    stored: bool = False,
) -> Dataset:
    """Return `Squares`; its parameters are described there."""
    return Squares(root, images, size_px, unknown, kind, stored)


def build_tiny_cnn(
    task: Task,
    /,
    *,
    width: int = 8,
    dropout: float = 0.0,
    fault: Literal["none", "nan", "raise", "exit", "build"] = "none",
    from_step: int = 1,
) -> Model:
    """Return `fake_models.TinyCnn`; its parameters are described there."""
    from harness.testing.fake_models import TinyCnn

    return TinyCnn(task, width, dropout, fault, from_step)


def build_empty(task: Task, /) -> Model:
    """Return `fake_models.Empty`."""
    from harness.testing.fake_models import Empty

    return Empty(task)


def area(terms: Scores, weights: Array | None, /) -> Array | float:
    """Return the area under the ROC curve, by ranks."""
    from harness.metrics.functional import rank_auc, weighted_auc

    if weights is None:
        return rank_auc(terms.labels, terms.scores)
    return weighted_auc(terms.labels, terms.scores)(weights)


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """Yield the tiny data set."""
    yield Component(
        name="squares", build=build_squares, summary="noise with bright and dark squares", task=squares_task
    )


@hookimpl
def harness_architectures() -> Iterable[Component[Model]]:
    """Yield a model that learns and one that does nothing."""
    yield Component(
        name="tiny_cnn",
        build=build_tiny_cnn,
        summary="two convolutions and a maximum",
        provides=frozenset({"saliency", "explain_layer"}),
    )
    yield Component(name="empty", build=build_empty, summary="one parameter, for measuring what surrounds a model")


@hookimpl
def harness_metrics() -> Iterable[MetricRecord]:
    """Yield the objective of tiny studies."""
    yield MetricRecord(
        name=RANKED,
        label="AUC",
        build=area,
        summary="area under the ROC curve, by ranks",
        reads="scores",
        form="statistic",
        standing=(Standing(level="leaderboard"),),
    )
