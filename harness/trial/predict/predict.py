"""Prediction on new images with confirmed models: a table of scores, and maps.

Images are decoded when they are needed and never cached. Several models of a variant are averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from harness.contract.dataset import Dataset
from harness.contract.errors import InputError, nearest
from harness.contract.loading.catalog import Catalog
from harness.contract.nn import Batch, Explainer, Output, drawn
from harness.contract.tables import OWN_MAP
from harness.contract.types import Sample
from harness.trial.confirm.overlays import eight_bit
from harness.trial.confirm.record import Record
from harness.trial.data.cache import CachedSplit
from harness.trial.data.decode import read_image, read_outlines
from harness.trial.data.loader import Loader
from harness.trial.data.stage import Images
from harness.trial.model.load import Confirmed, mean_output
from harness.trial.model.tta import over_copies
from harness.trial.seams.outputs import explained

if TYPE_CHECKING:
    import pandas as pd

SPLIT = "new"
"""The `split` of new images in a predictions table."""
_COLUMNS = (
    *("image", "group", "id", "unit", "missing", "fit", "dicom_window"),
    *("preprocess", "inverted", "side", "view", "flipped", "window_px"),
)
"""Parameters that a manifest of new images takes from the one that the model was trained on."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Unseen:
    """New images, resized to those that a model was trained on.

    Args:
        dataset: the manifest.
        images: its rows, decoded when they are needed.
    """

    dataset: Dataset
    images: Images

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Explained:
    """One image with its maps.

    Args:
        labels: "k", NaN if unknown.
        scores: "k".
        picture: "h w c", uint8, for display.
        outlines: "k h w", 0 or 1; all 0 if unknown.
        maps: "m h w" float32 in [0, 1], one per requested class.
        classes: names of the m classes.
    """

    id: str
    labels: Array
    scores: Array
    picture: Array
    outlines: Array
    maps: Array
    classes: tuple[str, ...]


class Decoded:
    """Images by row, decoded when needed: images that are read once need no cache."""

    def __init__(self, dataset: Dataset, samples: Sequence[Sample]) -> None:
        self._dataset, self._samples = dataset, samples

    def __getitem__(self, rows: Any, /) -> Array:
        """Return the images of these rows, "n h w c".

        Raises:
            InputError: an image cannot be read; the message names it.
        """
        with ThreadPoolExecutor(4) as pool:  # decoders release the interpreter's lock
            found = list(pool.map(lambda row: read_image(self._dataset, self._samples[row]), rows))
        return np.stack(found)

    def __iter__(self) -> Iterator[Array]:
        """Yield one image after the other, "h w c"."""
        return (read_image(self._dataset, sample) for sample in self._samples)


def open_unseen(manifest: Path, model: Confirmed, catalog: Catalog, data: Path, most: int | None = None) -> Unseen:
    """Open the images of a manifest, to be resized to the size and channels that the model was trained on.

    Args:
        manifest: a CSV or Parquet table; a model trained on a manifest reads the same columns in the same way.
        model: gives image size, channels, classes.
        catalog: provides the data set `manifest`.
        data: the user's data root. Paths of a manifest below it may be anywhere in it, those of another manifest
            only in its folder.
        most: largest number of rows to read, from the first on.

    Raises:
        InputError: the table or the header of an image cannot be read.
    """
    if model.task.sample != "image":
        kind = f"{model.spec.variant!r} was trained on samples of kind {model.task.sample!r}"
        raise InputError(f"{manifest}: lists single images, but {kind}")
    path = Path(manifest).absolute()
    root = data.absolute() if path.is_relative_to(data.absolute()) else path.parent
    own, task = model.spec.tree["dataset"], model.task
    trained_on_one = own["use"] == "manifest"
    table = {
        "use": "manifest",
        "path": str(path.relative_to(root)),
        "labels": list(task.classes),
        "image_size": list(task.image_size),
        "channels": task.channels,
        "mask_kind": task.mask_kind if task.mask_kind != "layers" else "none",
        # A study on a manifest states how colour becomes grey; for other data sets this is unknown.
        "colour": "convert" if trained_on_one else "refuse",
        "unseen": True,
        "bits": model.bits or 16,  # with the depth of this table, a score would depend on its other images
        **({key: own[key] for key in _COLUMNS if key in own} if trained_on_one else {}),
    }
    dataset: Dataset = catalog.build("dataset", table, root)
    samples = tuple(dataset.split("test"))[:most]
    labels = np.array([sample.labels for sample in samples], np.float32).reshape(len(samples), len(task.classes))
    split = CachedSplit("test", samples, Decoded(dataset, samples), labels)
    return Unseen(dataset, Images("test", split, key=model.spec.digest))


def predict_unseen(models: Sequence[Confirmed], unseen: Unseen, threads: int = 1) -> pd.DataFrame:
    """Return the predictions table of new images, with `split` "new"; `seed` and `fold` are empty if averaged.

    Args:
        models: of one variant; their scores are averaged, each over changed copies if the study has `train.tta`.
        unseen: opened for one of them.
        threads: of torch.

    Raises:
        InputError: an image cannot be read, or has another number of channels.
    """
    first = models[0]
    record = Record(first.spec, first.task)
    with _threads(threads):
        loader = _loader(first, unseen)
        for batch in loader.evaluation():
            outs = [over_copies(model(batch), batch, loader, model) for model in models]
            record.add_scores(unseen.images, batch, mean_output(outs))
    table = record.predictions().assign(split=SPLIT)
    if len(models) > 1:
        averaged = [key for key in ("seed", "fold") if len({getattr(model.spec, key) for model in models}) > 1]
        table = table.assign(**dict.fromkeys(averaged, None))
    return table


def explain_unseen(
    models: Sequence[Confirmed],
    unseen: Unseen,
    catalog: Catalog,
    explainer: Mapping[str, Any],
    classes: Sequence[str] = (),
    threads: int = 1,
) -> Iterator[Explained]:
    """Yield maps of new images, one image at a time, averaged over the models.

    Args:
        models: of one variant.
        unseen: opened for one of them.
        catalog: provides the explainer.
        explainer: its table, `{"use": "native"}`.
        classes: classes to map; all if empty.
        threads: of torch.

    Raises:
        InputError: there is no such class or explainer, or it cannot explain the model.
        ContractError: its maps have another size, are not finite or lie outside [0, 1].
    """
    first = models[0]
    names = tuple(classes) or first.task.classes
    places = [_place(name, first.task.classes) for name in names]
    name = str(explainer["use"])
    built: Explainer | None = None if name == OWN_MAP else catalog.build("explainer", explainer, where="--explainer")
    with _threads(threads):
        for batch in _loader(first, unseen).evaluation():
            outs = [model(batch) for model in models]
            own = mean_output(outs)
            each = [_maps(name, built, *pair, batch, places) for pair in zip(models, outs, strict=True)]
            maps = torch.stack(each).mean(0).cpu().numpy().astype(np.float32)
            scores = own.probs.cpu().numpy()
            for place, key in enumerate(batch.ids):
                yield _explained(unseen, unseen.images.rows[key], scores[place], maps[place], names)


def _explained(unseen: Unseen, row: int, scores: Array, maps: Array, names: tuple[str, ...]) -> Explained:
    split = unseen.images.split
    sample, shape = split.samples[row], (len(scores), *unseen.dataset.task.image_size)
    picture = split.images[[row]]
    outlines = read_outlines(unseen.dataset, sample)
    return Explained(
        id=sample.id,
        labels=split.labels[row],
        scores=scores,
        picture=(eight_bit(picture) if picture.dtype == np.uint16 else picture)[0],
        outlines=np.zeros(shape, np.uint8) if outlines is None else outlines,
        maps=maps,
        classes=names,
    )


def _maps(
    name: str, explainer: Explainer | None, model: Confirmed, out: Output, batch: Batch, places: Sequence[int]
) -> Float[Tensor, "b m h w"]:
    """Return one model's maps of these classes, at the size of the image."""
    assert batch.images is not None
    if explainer is None:
        if out.saliency is None:
            raise InputError(
                f"the model of {model.spec.variant!r} has no saliency map of its own: use another --explainer"
            )
        return functional.interpolate(drawn(out, batch)[:, list(places)], batch.images.shape[2:], mode="nearest")
    count = len(batch.ids)
    with model.chance(f"explain {batch.ids[0]}"):
        try:
            found = [explained(explainer, model.model, batch, [k] * count) for k in places]
        except (TypeError, ValueError) as error:  # the errors of an explainer for an unsuitable model or batch
            raise InputError(f"{name!r} cannot explain the model of {model.spec.variant!r}: {error}") from error
    return torch.stack([maps.float() for maps in found], 1)


def _loader(model: Confirmed, unseen: Unseen) -> Loader:
    return Loader(unseen.images, model.task, model.settings, model.device)


def _place(name: str, classes: Sequence[str]) -> int:
    if name not in classes:
        raise InputError(
            f"--classes: no class named {name!r}{nearest(name, classes)} (there are: {', '.join(classes)})"
        )
    return list(classes).index(name)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
