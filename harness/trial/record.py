"""What a confirmed model leaves behind: predictions, terms of its maps, a few pictures, its weights."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.torch
from jaxtyping import Float
from torch import Tensor

from harness.contract.masks import KEY_LAYER
from harness.contract.nn import Batch, Model, Output
from harness.contract.tables import CANDIDATES, LAYERS, LESIONS, MAPS, OWN_HEAD, PREDICTIONS, SHUFFLED, to_bytes
from harness.contract.types import Task, TrialSpec
from harness.evidence.functional import layer_terms, map_terms
from harness.trial.finding import Drawn, candidate_rows
from harness.trial.stage import Images, Outlines

OVERLAYS = 6
"""Test images shown unless `[explain] images` says otherwise."""
WEIGHTS = "weights.safetensors"
Array = npt.NDArray[Any]


class Record:
    """Collects the rows of one confirmed model over its splits."""

    def __init__(self, spec: TrialSpec, task: Task) -> None:
        self._task = task
        variant = SHUFFLED if spec.stage == "floor" else spec.variant
        self._keys = {"study": spec.study, "variant": variant, "seed": spec.seed, "fold": spec.fold}
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
        self._drawn: dict[tuple[str, str, str], Drawn] = {}  # of one batch: they are as large as masks
        self._batch: tuple[str, ...] = ()
        self._told: set[tuple[str, str, str]] = set()

    def add_scores(self, data: Images, batch: Batch, out: Output) -> None:
        """Rows of one batch for the predictions table: the model's own output and each head."""
        heads = {OWN_HEAD: out.probs, **out.heads}
        scores = {head: probs.cpu().numpy() for head, probs in heads.items()}
        for place, keys in enumerate(self._images(data, batch)):
            for head, values in scores.items():
                for k, row in enumerate(self._classes(keys, batch, place)):
                    self._rows["predictions"].append({**row, "head": head, "score": float(values[place, k])})

    def add_maps(self, data: Images, batch: Batch, name: str, maps: Float[Tensor, "b k i j"]) -> None:
        """Rows of one batch with masks: maps, lesions and candidates, or layers; `name` says whose maps they are."""
        assert batch.targets is not None
        if batch.ids != self._batch:
            self._batch = batch.ids
            self._drawn.clear()
        saliency = maps.detach().cpu().numpy()
        masks, known = batch.targets.masks.cpu().numpy(), batch.targets.known.cpu().numpy()
        for place, keys in enumerate(self._images(data, batch)):
            for k, row in enumerate(self._classes(keys, batch, place)):
                mask = masks[place, k] if known[place, k] else None
                if self._task.mask_kind != "layers":
                    self._add_map({**row, "map": name}, saliency[place, k], mask)
                elif mask is not None and mask.any():
                    own = layer_terms(saliency[place, k], mask)
                    self._rows["layers"] += [{**row, "map": name, **terms} for terms in own]

    def predictions(self) -> pd.DataFrame:
        """The predictions table so far; see `harness.contract.tables.PREDICTIONS`."""
        return pd.DataFrame(self._rows["predictions"], columns=list(PREDICTIONS))

    def files(self) -> dict[str, bytes]:
        """The tables that have rows; without a lesion that of lesions is empty, but there."""
        wanted = {name for name, rows in self._rows.items() if rows}
        if "maps" in wanted:
            wanted |= {"lesions", "candidates"}
        return {
            f"{name}.parquet": to_bytes(pd.DataFrame(self._rows[name], columns=list(columns)), name)
            for name, columns in _TABLES.items()
            if name in wanted
        }

    def _add_map(self, row: dict[str, Any], saliency: Array, mask: Array | None) -> None:
        """One map beside one mask; what the mask alone says is worked out, and told, once for all maps."""
        terms = {**map_terms(saliency, None if mask is None else mask > 0), "box_iou": None}
        if mask is not None:
            key = row["split"], row["id"], row["class"]
            if key not in self._drawn:
                self._drawn[key] = Drawn.of(mask)
            if key not in self._told:
                own = {name: value for name, value in row.items() if name != "map"}
                self._rows["lesions"] += [{**own, **lesion} for lesion in self._drawn[key].rows()]
                self._told.add(key)
            drawn = self._drawn[key]
            terms["box_iou"] = drawn.box_ious(saliency) if row["label"] == 1 else None
            self._rows["candidates"] += [{**row, **found} for found in candidate_rows(saliency, drawn)]
        self._rows["maps"].append({**row, **terms})

    def _images(self, data: Images, batch: Batch) -> list[dict[str, Any]]:
        samples = {sample.id: sample for sample in data.split.samples}
        found = [samples[key] for key in batch.ids]
        return [{**self._keys, "split": data.name, "id": s.id, "unit": s.unit, "group": s.group} for s in found]

    def _classes(self, keys: Mapping[str, Any], batch: Batch, place: int) -> list[dict[str, Any]]:
        labels = batch.labels[place].tolist()
        return [{**keys, "class": name, "label": labels[k]} for k, name in enumerate(self._task.classes)]


_TABLES = {
    "predictions": PREDICTIONS,
    "maps": MAPS,
    "lesions": LESIONS,
    "candidates": CANDIDATES,
    "layers": LAYERS,
}


class Overlays:
    """Pictures of a few test images with the model's maps, chosen before it has seen any of them.

    Args:
        wanted: how many. Classes take turns to give the next image, in the order of the split, that
            shows the class and whose outline is known; what is then left are images in order.
    """

    def __init__(self, data: Images, task: Task, wanted: int) -> None:
        self._data, self._task = data, task
        self._rows = choose(data, wanted) if task.sample == "image" else []  # a bag has no one picture to lay over
        self._found: dict[str, tuple[Array, Array]] = {}

    def add(self, batch: Batch, out: Output) -> None:
        """Keeps maps and scores of the chosen images."""
        wanted = {self._data.split.samples[row].id for row in self._rows}
        for place, key in enumerate(batch.ids):
            if key in wanted and out.evidence is not None:
                self._found[key] = (out.evidence[place].half().cpu().numpy(), out.probs[place].cpu().numpy())

    def files(self) -> dict[str, bytes]:
        """`overlays.npz` as `harness.contract.tables.OVERLAYS` describes it, or nothing without evidence."""
        if not self._found:
            return {}
        split, outlines = self._data.split, self._data.outlines
        ids = [split.samples[row].id for row in self._rows]
        images = split.images[self._rows]
        if images.dtype == np.uint16:
            images = eight_bit(images)
        shape = (len(ids), len(self._task.classes), *images.shape[1:3])
        arrays: dict[str, Any] = {
            "images": images[..., 0] if images.shape[3] == 1 else images,
            "masks": np.zeros(shape, np.uint8) if outlines is None else _known(outlines, self._rows, self._task),
            "maps": np.stack([self._found[key][0] for key in ids]),
            "ids": np.array(ids),
            "labels": split.labels[self._rows],
            "scores": np.stack([self._found[key][1] for key in ids]).astype(np.float32),
            "classes": np.array(self._task.classes),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return {"overlays.npz": buffer.getvalue()}


def weights_file(model: Model, spec: TrialSpec) -> dict[str, bytes]:
    """`weights.safetensors`, with the trial's spec in its metadata."""
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    return {WEIGHTS: safetensors.torch.save(weights, {"spec": spec.to_json()})}


def eight_bit(images: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Pictures "n h w c", each from its darkest to its brightest pixel: 12-bit images would be nearly black else."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True).astype(float), images.max(axes, keepdims=True).astype(float)
    scaled: npt.NDArray[np.uint8] = ((images - low) * (255 / np.maximum(high - low, 1))).astype(np.uint8)
    return scaled


def _known(outlines: Outlines, rows: list[int], task: Task) -> npt.NDArray[np.uint8]:
    masks = outlines.masks[rows]
    inside = masks == KEY_LAYER if task.mask_kind == "layers" else masks > 0
    return np.asarray(inside * outlines.known[rows][:, :, None, None], np.uint8)


def choose(data: Images, wanted: int) -> list[int]:
    """The rows of test images that are looked at closely, as `Overlays` describes them; no model has seen them yet."""
    labels = data.split.labels
    shown = labels == 1 if data.outlines is None else (labels == 1) & data.outlines.known
    turns = [np.flatnonzero(shown[:, k]).tolist() for k in range(labels.shape[1])]
    order = [rows[turn] for turn in range(len(labels)) for rows in turns if turn < len(rows)]
    return list(dict.fromkeys([*order, *range(len(labels))]))[:wanted]
