"""Files of a confirmed model: predictions, terms of its maps, its weights. Pictures are in `overlays`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.torch
from jaxtyping import Float
from torch import Tensor

from harness.contract.nn import Batch, Model, Output
from harness.contract.tables import (
    ATTENTION,
    CANDIDATES,
    LAYERS,
    LESIONS,
    MAPS,
    OWN_HEAD,
    OWN_MAP,
    PREDICTIONS,
    SHUFFLED,
    TERMS,
    to_bytes,
)
from harness.contract.types import WEIGHTS, Task, TrialSpec
from harness.metrics.functional import attention_gap, layer_terms, map_terms, peak_hit, touched
from harness.metrics.metric import Metric
from harness.tables.terms import Tables
from harness.trial.confirm.finding import Drawn, candidate_rows
from harness.trial.data.stage import Images
from harness.trial.model.measure import ATTENTION as ATTENTION_PART
from harness.trial.model.measure import of_weights, weights_of

Array = npt.NDArray[Any]


class Record:
    """Record of the rows of one confirmed model over its splits."""

    def __init__(self, spec: TrialSpec, task: Task, metrics: Sequence[Metric] = ()) -> None:
        self._task = task
        own = [metric for metric in metrics if metric.record.form == "term"]
        self._of_maps = [metric for metric in own if metric.record.reads == "maps"]
        self._of_weights = [metric for metric in own if metric.record.reads == "weights"]
        variant = SHUFFLED if spec.stage == "control" else spec.variant
        self._keys = {"study": spec.study, "variant": variant, "seed": spec.seed, "fold": spec.fold}
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
        self._drawn: dict[tuple[str, str, str], Drawn] = {}  # of one batch: they are as large as masks
        self._batch: tuple[str, ...] = ()
        self._originals: list[Array | None] = []  # of the same batch
        self._recorded: set[tuple[str, str, str]] = set()

    def add_scores(self, data: Images, batch: Batch, out: Output) -> None:
        """Add rows of one batch to the predictions table: the model's own output and each head."""
        heads = {OWN_HEAD: out.probs, **out.heads}
        scores = {head: probs.cpu().numpy() for head, probs in heads.items()}
        for place, keys in enumerate(self._images(data, batch)):
            for head, values in scores.items():
                for k, row in enumerate(self._classes(keys, batch, place)):
                    self._rows["predictions"].append({**row, "head": head, "score": float(values[place, k])})

    def add_maps(self, data: Images, batch: Batch, name: str, maps: Float[Tensor, "b k i j"]) -> None:
        """Add rows of one batch with masks: maps, lesions and candidates, or layers; `name` is that of the maps."""
        assert batch.targets is not None
        if batch.ids != self._batch:
            self._batch = batch.ids
            self._drawn.clear()
            self._originals = _originals(data, batch)
        saliency = maps.detach().cpu().numpy()
        masks, known = batch.targets.masks.cpu().numpy(), batch.targets.known.cpu().numpy()
        for place, keys in enumerate(self._images(data, batch)):
            original = self._originals[place]
            for k, row in enumerate(self._classes(keys, batch, place)):
                mask = masks[place, k] if known[place, k] else None
                if self._task.mask_kind != "layers":
                    outline = mask if original is None or mask is None else original[k]
                    self._add_map({**row, "map": name}, saliency[place, k], mask, outline)
                elif mask is not None and mask.any():
                    own = layer_terms(saliency[place, k], mask)
                    self._rows["layers"] += [{**row, "map": name, **terms} for terms in own]

    def add_attention(self, data: Images, batch: Batch, out: Output) -> None:
        """Add rows of one batch of a model with attention: of its weights and, with masks, of its patches."""
        if self._of_weights and ATTENTION_PART in out.parts:
            for keys, branches in zip(self._images(data, batch), weights_of(out, batch), strict=True):
                row = {**keys, "class": "", "label": math.nan, "map": OWN_MAP}
                for metric in self._of_weights:
                    self._rows["terms"].append({**row, "metric": metric.key, "value": of_weights(metric, branches)})
        if batch.targets is None or not {ATTENTION_PART, "boxes"} <= out.parts.keys():
            return
        weights, boxes = out.parts[ATTENTION_PART].cpu().double().numpy(), out.parts["boxes"].cpu().long().numpy()
        masks, known = batch.targets.masks.cpu().numpy(), batch.targets.known.cpu().numpy()
        for place, keys in enumerate(self._images(data, batch)):
            for k, row in enumerate(self._classes(keys, batch, place)):
                if known[place, k] and row["label"] == 1:
                    gap = attention_gap(weights[place], touched(masks[place, k], boxes[place]))
                    self._rows["attention"].append({**row, "gap": gap, "patches": len(weights[place])})

    def drop(self, *names: str) -> None:
        """Remove the rows of these maps."""
        for table, rows in self._rows.items():
            self._rows[table] = [row for row in rows if row.get("map") not in names]

    def tables(self) -> Tables:
        """Return the tables so far."""
        found: dict[str, Any] = {name: pd.DataFrame(self._rows[name], columns=list(of)) for name, of in _TABLES.items()}
        return Tables(**found)

    def predictions(self) -> pd.DataFrame:
        """Return the predictions table so far; see `harness.contract.tables.PREDICTIONS`."""
        return pd.DataFrame(self._rows["predictions"], columns=list(PREDICTIONS))

    def files(self) -> dict[str, bytes]:
        """Return the tables with rows; with maps also those of lesions and candidates, even if empty."""
        wanted = {name for name, rows in self._rows.items() if rows}
        if "maps" in wanted:
            wanted |= {"lesions", "candidates"}
        return {
            f"{name}.parquet": to_bytes(pd.DataFrame(self._rows[name], columns=list(columns)), name)
            for name, columns in _TABLES.items()
            if name in wanted
        }

    def _add_map(self, row: dict[str, Any], saliency: Array, mask: Array | None, outline: Array | None) -> None:
        """Add the row of one map; lesions of the outline are computed and recorded once for all maps.

        Overlaps are of the mask at the image's size, pointing and lesions of the outline at its own.
        """
        terms = {**map_terms(saliency, None if mask is None else mask > 0), "box_iou": None}
        if mask is not None and outline is not None:
            if outline is not mask:
                terms["peak_hit"] = peak_hit(saliency, outline)
            key = row["split"], row["id"], row["class"]
            if key not in self._drawn:
                self._drawn[key] = Drawn.of(outline, (mask.shape[0], mask.shape[1]))
            if key not in self._recorded:
                own = {name: value for name, value in row.items() if name != "map"}
                self._rows["lesions"] += [{**own, **lesion} for lesion in self._drawn[key].rows()]
                self._recorded.add(key)
            drawn = self._drawn[key]
            terms["box_iou"] = drawn.box_ious(saliency) if row["label"] == 1 else None
            for metric in self._of_maps if row["label"] == 1 and mask.any() else ():
                value = metric.term(np.asarray(saliency, np.float64), mask > 0)
                self._rows["terms"].append({**row, "metric": metric.key, "value": value})
            self._rows["candidates"] += [{**row, **found} for found in candidate_rows(saliency, drawn)]
        self._rows["maps"].append({**row, **terms})

    def _images(self, data: Images, batch: Batch) -> list[dict[str, Any]]:
        own = {**self._keys, "split": data.name}
        return [{**own, "id": s.id, "unit": s.unit, "group": s.group} for s in data.samples(batch)]

    def _classes(self, keys: Mapping[str, Any], batch: Batch, place: int) -> list[dict[str, Any]]:
        labels = batch.labels[place].tolist()
        return [{**keys, "class": name, "label": labels[k]} for k, name in enumerate(self._task.classes)]


def _originals(data: Images, batch: Batch) -> list[Array | None]:
    """Return the outlines "k h w" of each image of a batch at the size of their file; None where that is no other."""
    outlines = data.outlines
    return [None if outlines is None else outlines.original(data.rows[name]) for name in batch.ids]


def weights_file(model: Model, spec: TrialSpec, bits: int) -> dict[str, bytes]:
    """Return `weights.safetensors`, with the trial's spec and the bit depth of its images in the metadata."""
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    metadata = json.dumps({**json.loads(spec.to_json()), "bits": bits})  # one key: the order of several is not fixed
    return {WEIGHTS: safetensors.torch.save(weights, {"spec": metadata})}


_TABLES = {
    "predictions": PREDICTIONS,
    "maps": MAPS,
    "lesions": LESIONS,
    "candidates": CANDIDATES,
    "layers": LAYERS,
    "attention": ATTENTION,
    "terms": TERMS,
}
