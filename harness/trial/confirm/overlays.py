"""Overlays of a few test images of a confirmed model for the report: some chosen beforehand, some by score."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from harness.contract.masks import KEY_LAYER
from harness.contract.nn import Batch, Output, drawn
from harness.contract.tables import OVERLAYS_VERSION
from harness.contract.types import Task
from harness.metrics.maps.cases import choose_cases
from harness.trial.data.stage import Images, Outlines

WANTED = 6
"""Number of test images shown for every variant; the default of `[explain] images`."""
LONGEST_PX = 512
"""Longest side in pixels; larger images are reduced, because overlays are for display."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Seen:
    """Output for one test image: maps "k i j", scores "k", and patches if the model has any."""

    maps: Array
    scores: Array
    boxes: Array | None
    attention: Array | None


class Overlays:
    """Test images with the model's maps: some chosen beforehand, then the extreme ones of each class.

    The first are the same for every model, so that variants can be compared. The others are hits, misses and
    false alarms by this model's own score (`harness.metrics.maps.cases`).

    Args:
        wanted: number of images chosen beforehand. Classes give in turn their next image with a known outline, in
            the order of the split; then the remaining images follow in order.
    """

    def __init__(self, data: Images, task: Task, wanted: int) -> None:
        self._data, self._task = data, task
        self._pictured = task.sample == "image"  # a bag has no single picture for an overlay
        self._chosen = choose(data, wanted) if self._pictured else []
        self._row = {sample.id: row for row, sample in enumerate(data.split.samples)}
        self._found: dict[str, _Seen] = {}
        self._asked: dict[str, int] = {}
        self._explained: dict[str, dict[str, Array]] = {}

    def explain(self, batch: Batch, name: str, maps: Float[Tensor, "b k h w"], wanted: Bool[Tensor, "b k"]) -> None:
        """Keep an explainer's maps of the images that were chosen beforehand, of one class each.

        It is the first of the wanted classes that the image has, or else the first wanted class.
        """
        chosen = {self._data.split.samples[row].id for row in self._chosen}
        for place, key in enumerate(self._data.ids(batch)):
            asked = wanted[place].nonzero().flatten().tolist()
            if key not in chosen or not asked:
                continue
            known = self._data.split.labels[self._row[key]]
            k = next((k for k in asked if known[k] == 1), asked[0])
            self._asked[key] = k
            by = -(-max(maps.shape[2:]) // LONGEST_PX)
            self._explained.setdefault(name, {})[key] = maps[place, k, ::by, ::by].half().cpu().numpy()

    def drop(self, name: str) -> None:
        """Remove an explainer's maps."""
        self._explained.pop(name, None)

    def add(self, batch: Batch, out: Output) -> None:
        """Add one batch; outputs of images that will not be shown are dropped."""
        if out.saliency is None or not self._pictured:
            return
        boxes, attention = _patches(out, len(batch.ids))
        maps = drawn(out, batch)
        for place, key in enumerate(self._data.ids(batch)):
            self._found[key] = _Seen(
                maps=maps[place].half().cpu().numpy(),
                scores=out.probs[place].float().cpu().numpy(),
                boxes=None if boxes is None else boxes[place],
                attention=None if attention is None else attention[place],
            )
        chosen = {self._data.split.samples[row].id for row in self._chosen}
        kept = chosen | self._cases()
        self._found = {key: seen for key, seen in self._found.items() if key in kept}

    def files(self) -> dict[str, bytes]:
        """Return `overlays.npz` (see `harness.contract.tables.OVERLAYS`), or nothing without saliency."""
        if not self._found:
            return {}
        split, outlines = self._data.split, self._data.outlines
        others = sorted({self._row[key] for key in self._found} - set(self._chosen))
        rows = [*self._chosen, *others]
        seen = [self._found[split.samples[row].id] for row in rows]
        images = split.images[rows]
        if images.dtype == np.uint16:
            images = eight_bit(images)
        by = -(-max(images.shape[1:3]) // LONGEST_PX)
        shape = (len(rows), len(self._task.classes), *images.shape[1:3])
        masks = np.zeros(shape, np.uint8) if outlines is None else _known(outlines, rows, self._task)
        arrays: dict[str, Any] = {
            "images": reduced(images[..., 0] if images.shape[3] == 1 else images, by),
            "masks": masks[:, :, ::by, ::by],
            "maps": np.stack([item.maps for item in seen]),
            "ids": np.array([split.samples[row].id for row in rows]),
            "labels": split.labels[rows],
            "scores": np.stack([item.scores for item in seen]).astype(np.float32),
            "classes": np.array(self._task.classes),
            "version": np.array(OVERLAYS_VERSION),
            "chosen": np.array([row in set(self._chosen) for row in rows]),
        }
        if (boxes := _stacked([item.boxes for item in seen])) is not None:
            arrays["boxes"] = boxes / by
        if (attention := _stacked([item.attention for item in seen])) is not None:
            arrays["attention"] = attention
        arrays |= self._explanations([split.samples[row].id for row in self._chosen], len(rows))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return {"overlays.npz": buffer.getvalue()}

    def _explanations(self, chosen: list[str], images: int) -> dict[str, Array]:
        """Return the explainers' arrays for the explained images; the chosen images are the first of all."""
        if not self._explained:
            return {}
        asked = [key for key in chosen if key in self._asked]
        of_class = [self._asked.get(key, -1) for key in chosen]
        return {
            "explainers": np.array(list(self._explained)),
            "explained": np.array([[own[key] for key in asked] for own in self._explained.values()], np.float16),
            "of_class": np.array(of_class + [-1] * (images - len(chosen))),
        }

    def _cases(self) -> set[str]:
        """Return the ids of the extreme images so far, of every class."""
        ids = list(self._found)
        rows = [self._row[key] for key in ids]
        labels = self._data.split.labels[rows]
        scores = np.stack([seen.scores for seen in self._found.values()])
        outlines, cases = self._data.outlines, set[str]()
        for k in range(labels.shape[1]):
            shown = None if outlines is None else outlines.known[rows, k]
            found = choose_cases(ids, labels[:, k], scores[:, k], shown)
            cases |= {ids[place] for places in found.values() for place in places}
        return cases


def choose(data: Images, wanted: int) -> list[int]:
    """Choose the rows of test images to show (see `Overlays`), before any model has seen them."""
    labels = data.split.labels
    shown = labels == 1 if data.outlines is None else (labels == 1) & data.outlines.known
    turns = [np.flatnonzero(shown[:, k]).tolist() for k in range(labels.shape[1])]
    order = [rows[turn] for turn in range(len(labels)) for rows in turns if turn < len(rows)]
    return list(dict.fromkeys([*order, *range(len(labels))]))[:wanted]


def eight_bit(images: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Scale pictures "n h w c" from their darkest to their brightest pixel; 12-bit images would be nearly black."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True).astype(float), images.max(axes, keepdims=True).astype(float)
    scaled: npt.NDArray[np.uint8] = ((images - low) * (255 / np.maximum(high - low, 1))).astype(np.uint8)
    return scaled


def reduced(images: npt.NDArray[np.uint8], by: int) -> npt.NDArray[np.uint8]:
    """Average pictures "n h w" or "n h w c" over `by` x `by` pixels; a remainder at the border is one pixel."""
    if by == 1:
        return images
    return np.stack([np.asarray(Image.fromarray(image).reduce(by)) for image in images])


def _patches(out: Output, images: int) -> tuple[Array | None, Array | None]:
    """Return boxes "b n 4" in pixels and attention "b n" of a model with patches; see `Output.parts`."""
    boxes, attention = (_array(out.parts.get(name)) for name in ("boxes", "attention"))
    if boxes is None or boxes.ndim != 3 or boxes.shape[0] != images or boxes.shape[2] != 4:
        return None, None
    fits = attention is not None and attention.shape == boxes.shape[:2]
    return boxes, attention if fits else None


def _stacked(values: list[Array | None]) -> Array | None:
    """Return one array, or None if shapes differ: a detector has another number of boxes in each image."""
    found = [value for value in values if value is not None]
    alike = len(found) == len(values) and len({value.shape for value in found}) == 1
    return np.stack(found).astype(np.float32) if alike else None


def _array(value: Any) -> Array | None:
    return value.detach().float().cpu().numpy() if isinstance(value, Tensor) else None


def _known(outlines: Outlines, rows: list[int], task: Task) -> npt.NDArray[np.uint8]:
    masks = outlines.of(rows)
    inside = masks == KEY_LAYER if task.mask_kind == "layers" else masks > 0
    return np.asarray(inside * outlines.known[rows][:, :, None, None], np.uint8)
