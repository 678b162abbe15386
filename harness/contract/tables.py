"""The tables every confirmed model leaves: names, columns and versions. Long form, Parquet.

Everything that is later said of a model is computed from these, so a table made elsewhere
competes on equal terms.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

VERSION = 2
"""Of all tables. 1 had no box terms in maps, and no lesions, candidates and layers."""
BINS = 1001
"""Histogram bins of map values: thresholds 0, .001, …, 1 (Choe et al. 2022, PxAP)."""

KEYS = ("study", "variant", "seed", "fold", "split", "id")
PREDICTIONS = (*KEYS, "unit", "group", "class", "label", "head", "score")
"""One row per (image, class, head); label is 0, 1 or null.

`seed` is a trained model's; of a family of readers it is the reader's name, of any other external predictions null.
"""

MAPS = (
    *KEYS,
    "unit",
    "group",
    "class",
    "label",
    "map",
    "mask_known",
    "mask_area",
    "dice_overlap",
    "dice_sum",
    "peak_hit",
    "positive_raw",
    "negative_raw",
    "positive_scaled",
    "negative_scaled",
    "box_iou",
)
"""One row per (image, class, map).

`dice_overlap` = sum(A M), `dice_sum` = sum(A) + sum(M): soft Dice is 2 overlap / sum.
`positive_*` and `negative_*` are BINS-long histograms of map values inside and outside the mask,
of the map as it is (raw) and min-max normalised (scaled). `mask_area` is a fraction of the image.
`box_iou` holds what `harness.metrics.maps.boxes.box_ious` gives where the image has the class and a known mask.
"""

HISTOGRAMS = ("positive_raw", "negative_raw", "positive_scaled", "negative_scaled", "box_iou")
"""The columns of MAPS that hold a list a row: 16 kB of its 17."""

FAITHFULNESS_METHODS = ("darken", "zero", "insertion", "deletion", "randomise")
"""What [explain.faithfulness] may name."""

SHIFTED = "shifted_"

FAITHFULNESS = (
    *KEYS,
    "unit",
    "group",
    "class",
    "label",
    "map",
    "method",
    "covered",
    "level",
    "before",
    "after",
    "logit_before",
    "logit_after",
    "curve_area",
    "rank_correlation",
    "ssim",
)
"""One row per (test image, map, method, covered, level), of the class that the model scored highest.

`method` is one of FAITHFULNESS_METHODS; `covered`: "important" or "rest" of the image, each with SHIFTED before it
where the map had been moved to a random place first, "" for the others; `level`: the threshold of `zero`, the share
of layers of `randomise`, NaN for the others.
`before` and `after` are the class's probability on the image as it is and covered (at the end of a curve),
`logit_*` its logit where the model has logits. `curve_area` is the area under an insertion or deletion
curve; `rank_correlation` and `ssim` compare the map with that of the randomised model. NaN where it does
not apply. `harness.metrics.maps.faithfulness` says what is made of them.
"""

LESIONS = (*KEYS, "unit", "group", "class", "label", "lesion", "area", "x0", "y0", "x1", "y1")
"""One row per (image, class, lesion): an 8-connected component of a known mask, numbered from 1.

`area` is a fraction of the image; the box is in pixels, half open.
"""

CANDIDATES = (*KEYS, "unit", "group", "class", "label", "map", "candidate", "score", "x", "y", "lesion")
"""One row per (image, class, map, candidate), of images whose mask is known; numbered from 0, the highest first.

`x` and `y` are in pixels, of a cell's centre; `lesion` is the one it lies in, null outside.
See `harness.metrics.maps.candidates`.
"""

LAYERS = (*KEYS, "unit", "group", "class", "label", "map", "level", "pixels", "peak", "heat", "covered")
"""One row per (image, class, map, level of a layer map); see `harness.metrics.maps.layers.layer_terms`."""

ATTENTION = (*KEYS, "unit", "group", "class", "label", "gap", "patches")
"""One row per (test image, class it has) with a known mask, of models with attention over patches.

`gap`: mean weight of the patches that the mask touches minus that of the others, null where either are missing;
`patches`: n, how many are under attention, which the gap scales with the inverse of.
"""

TERMS = (*KEYS, "unit", "group", "class", "label", "map", "metric", "value")
"""One row per (image, class, map, metric) of metrics that read more of a map than MAPS holds, where a study names them.

`metric` is the study's key. Of images that have the class, whose mask is known and not empty; of metrics of attention
alone `class` is "", `label` is null and `map` is OWN_MAP.
"""

OWN_HEAD = "output"
"""The `head` of a model's own `probs`; the names of `Output.heads` stand beside it."""

OWN_MAP = "native"
"""The `map` of a model's own saliency map; explainers stand beside it under their names."""

CONTROL = "control:"
"""How the `map` of a control begins: "control:centre", "control:random", "control:random_weights"."""

WEIGHTS_CONTROL = f"{CONTROL}random_weights"
"""The `map` of the same architecture with random weights; that of an explainer on it goes on with ":" and its name."""

SHUFFLED = "control:shuffled_labels"
"""The `variant` of the baseline's best configuration trained on shuffled labels."""

OVERLAYS = ("images", "masks", "maps", "ids", "labels", "scores", "classes")
"""Arrays of `overlays.npz`, a few test images of one confirmed model for the report.

`images` uint8 "n h w" or "n h w c"; `masks` uint8 "n k h w" (0 and 1; all 0 where not known);
`maps` float16 "n k i j" of the model's own saliency map in [0, 1]; `ids` and `classes` str, n and k
of them; `labels` and `scores` float32 "n k", a label NaN where unknown.
"""

OVERLAYS_VERSION = 3
"""Of `overlays.npz`. 1 had OVERLAYS only, all of them chosen beforehand; 2 had no maps of explainers."""

OVERLAYS_MORE = ("version", "chosen", "boxes", "attention", "explainers", "explained", "of_class")
"""Further arrays of `overlays.npz`: `version` and `chosen`; `boxes` and `attention` where a model looks at patches, the
others where explainers were asked.

`chosen` bool "n": whether the image was chosen before any model saw it, else it is a hit, miss or false alarm by this
model's score. `boxes` float32 "n m 4", x0 y0 x1 y1 in pixels of `images`, half open; `attention` float32 "n m".
`explainers` str, e names; `of_class` int "n", the class of each image that they were asked about, -1 where they were
not; `explained` float16 "e m h w", at the size of `images`, of the m images that have one, in their order.
"""


def named(entry: Any) -> tuple[str, Any]:
    """The name that an explainer's maps bear, and its table without it.

    Args:
        entry: of `[explain] use`, a component's name or its table; `name` in it tells two of one explainer apart.
    """
    if not isinstance(entry, Mapping):
        return str(entry), entry
    return str(entry.get("name", entry.get("use"))), {key: value for key, value in entry.items() if key != "name"}


def to_bytes(table: pd.DataFrame, name: str) -> bytes:
    """Parquet bytes of a table, with its name and version in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    meta = {**(arrow.schema.metadata or {}), b"harness.table": name.encode(), b"harness.version": str(VERSION).encode()}
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata(meta), buffer, compression="zstd")
    return buffer.getvalue()


def from_bytes(data: bytes, without: Collection[str] = ()) -> pd.DataFrame:
    """The table that `to_bytes` wrote.

    Args:
        data: the file.
        without: columns that are not to be read.

    Raises:
        ValueError: it was written by a newer harness.
    """
    import pyarrow.parquet as pq

    file: Any = pq.ParquetFile(io.BytesIO(data))
    version = int((file.schema_arrow.metadata or {}).get(b"harness.version", b"0"))
    if version > VERSION:
        raise ValueError(f"the table has version {version}, this harness reads up to {VERSION}.")
    wanted = [name for name in file.schema_arrow.names if name not in without]
    return file.read(wanted).to_pandas()  # type: ignore[no-any-return]
