"""The tables of every confirmed model: names, columns and versions. Long form, Parquet.

All results of a model are computed from these tables, so external predictions are evaluated in the same way.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

VERSION = 2
"""Version of all tables. 1 had no box terms in maps, and no lesions, candidates and layers."""
BINS = 1001
"""Histogram bins of map values: thresholds 0, .001, …, 1 (Choe et al. 2022, PxAP)."""

KEYS = ("study", "variant", "seed", "fold", "split", "id")
PREDICTIONS = (*KEYS, "unit", "group", "class", "label", "head", "score")
"""One row per (image, class, head); label is 0, 1 or null.

`seed` is that of a trained model. For a family of readers it is the reader's name, for other external
predictions null.
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
of the unchanged map (raw) and the min-max normalised map (scaled). `mask_area` is a fraction of the image.
`box_iou` is the result of `harness.metrics.maps.boxes.box_ious` if the image has the class and a known mask.
"""

HISTOGRAMS = ("positive_raw", "negative_raw", "positive_scaled", "negative_scaled", "box_iou")
"""The columns of MAPS that hold lists: 16 of the 17 kB of a row."""

FAITHFULNESS_METHODS = ("darken", "zero", "insertion", "deletion", "randomise")
"""The methods that [explain.faithfulness] may name."""

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
"""One row per (test image, map, method, covered, level), for the class that the model scored highest.

`method` is one of FAITHFULNESS_METHODS. `covered` is the "important" part or the "rest" of the image, with the
prefix SHIFTED if the map was moved to a random place first, and "" for other methods. `level` is the threshold of
`zero`, the share of layers of `randomise`, and NaN for other methods.
`before` and `after` are the class's probability on the unchanged and the covered image (the end of a curve),
`logit_*` its logit if the model has logits. `curve_area` is the area under an insertion or deletion
curve. `rank_correlation` and `ssim` compare the map with that of the randomised model. Values that do not
apply are NaN. See `harness.metrics.maps.faithfulness`.
"""

LESIONS = (*KEYS, "unit", "group", "class", "label", "lesion", "area", "x0", "y0", "x1", "y1")
"""One row per (image, class, lesion). A lesion is an 8-connected component of a known mask, numbered from 1.

Lesions are those of the outline at the size of its file. `area` is a fraction of the image; the box is in pixels of
the image, half open.
"""

CANDIDATES = (*KEYS, "unit", "group", "class", "label", "map", "candidate", "score", "x", "y", "lesion")
"""One row per (image, class, map, candidate), for images with a known mask; numbered from 0, highest score first.

`x` and `y` are the centre of a cell in pixels. `lesion` is the lesion that contains it, null outside.
See `harness.metrics.maps.candidates`.
"""

LAYERS = (*KEYS, "unit", "group", "class", "label", "map", "level", "pixels", "peak", "heat", "covered")
"""One row per (image, class, map, level of a layer map); see `harness.metrics.maps.layers.layer_terms`."""

ATTENTION = (*KEYS, "unit", "group", "class", "label", "gap", "patches")
"""One row per (test image, class it has) with a known mask, for models with attention over patches.

`gap` is the mean weight of the patches that the mask touches minus that of the others, null if either are missing.
`patches` is n, the number of patches under attention; the gap is proportional to 1 / n.
"""

TERMS = (*KEYS, "unit", "group", "class", "label", "map", "metric", "value")
"""One row per (image, class, map, metric), for metrics of a study that need more of a map than MAPS holds.

`metric` is the study's key. Rows are for images that have the class and a known mask that is not empty. For metrics
of attention only, `class` is "", `label` is null and `map` is OWN_MAP.
"""

OWN_HEAD = "output"
"""The `head` of a model's own `probs`; the others are the names of `Output.heads`."""

OWN_MAP = "native"
"""The `map` of a model's own saliency map; the others are the names of explainers."""

CONTROL = "control:"
"""Prefix of the `map` of a control: "control:centre", "control:random", "control:random_weights"."""

WEIGHTS_CONTROL = f"{CONTROL}random_weights"
"""The `map` of the same architecture with random weights; for an explainer, ":" and its name follow."""

SHUFFLED = "control:shuffled_labels"
"""The `variant` of the baseline's best configuration trained on shuffled labels."""

LEFT_OUT = "explainers_left_out.txt"
"""The file of a confirmed model that has a line `name: reason` for each `map` that could not be made."""

OVERLAYS = ("images", "masks", "maps", "ids", "labels", "scores", "classes")
"""Arrays of `overlays.npz`, a few test images of one confirmed model for the report.

`images` uint8 "n h w" or "n h w c"; `masks` uint8 "n k h w" (0 and 1; all 0 if unknown);
`maps` float16 "n k i j", the model's own saliency maps in [0, 1]; `ids` "n" and `classes` "k" str;
`labels` and `scores` float32 "n k", NaN for an unknown label.
"""

OVERLAYS_VERSION = 3
"""Version of `overlays.npz`. 1 had only OVERLAYS, of images chosen beforehand; 2 had no maps of explainers."""

OVERLAYS_MORE = ("version", "chosen", "boxes", "attention", "explainers", "explained", "of_class")
"""Further arrays of `overlays.npz`: `version` and `chosen`, `boxes` and `attention` of models with patches, the others
of studies with explainers.

`chosen` bool "n": True if the image was chosen before any model saw it, else it is a hit, miss or false alarm by this
model's score. `boxes` float32 "n m 4", x0 y0 x1 y1 in pixels of `images`, half open; `attention` float32 "n m".
`explainers` str, e names. `of_class` int "n", the explained class of each image, -1 if it was not explained.
`explained` float16 "e m h w", at the size of `images`, of the m explained images in their order.
"""


def named(entry: Any) -> tuple[str, Any]:
    """Return the name of an explainer's maps, and its table without that name.

    Args:
        entry: of `[explain] use`, a component's name or its table; `name` distinguishes two of one explainer.
    """
    if not isinstance(entry, Mapping):
        return _component_of(entry), entry
    name = str(entry["name"]) if "name" in entry else _component_of(entry.get("use"))
    return name, {key: value for key, value in entry.items() if key != "name"}


def _component_of(address: Any) -> str:
    """Return the component in `distribution:component` or a bare name."""
    return str(address).rpartition(":")[2]


def to_bytes(table: pd.DataFrame, name: str) -> bytes:
    """Return the Parquet bytes of a table, with its name and version in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    meta = {**(arrow.schema.metadata or {}), b"harness.table": name.encode(), b"harness.version": str(VERSION).encode()}
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata(meta), buffer, compression="zstd")
    return buffer.getvalue()


def from_bytes(data: bytes, without: Collection[str] = ()) -> pd.DataFrame:
    """Read the table that `to_bytes` wrote.

    Args:
        data: the file.
        without: columns to leave out.

    Raises:
        ValueError: a newer harness wrote the table.
    """
    import pyarrow.parquet as pq

    file: Any = pq.ParquetFile(io.BytesIO(data))
    version = int((file.schema_arrow.metadata or {}).get(b"harness.version", b"0"))
    if version > VERSION:
        raise ValueError(f"the table has version {version}, this harness reads up to {VERSION}.")
    wanted = [name for name in file.schema_arrow.names if name not in without]
    return file.read(wanted).to_pandas()  # type: ignore[no-any-return]
