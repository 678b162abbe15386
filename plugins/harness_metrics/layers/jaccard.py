"""Jaccard index of the hot part of a map and a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness import MetricRecord, Standing

if TYPE_CHECKING:
    from harness.metrics.functional import Array, LayerImages

_LEVELS = {255: 3, 128: 2, 64: 1, 32: 0, 0: -1}
"""Grey value of a layer -> how much it matters."""
_TAUS = tuple(step / 100 for step in range(50, 100, 5))


def layer_jaccard(images: LayerImages, /, *, level: int = 255, tau: float = 0.0) -> Array:
    """Return |B and L| / |B or L| of B = {map >= tau of its maximum} and the layer, of each image.

    Args:
        images: level -> its row of the layers table, of each image.
        level: grey value of the layer, one of 255, 128, 64, 32, 0.
        tau: one of .50, .55, …, .95; 0 is the mean over the ten.
    """
    import numpy as np

    from harness.metrics.functional import layer_overlap, mean_defined

    curves = [layer_overlap(rows, level) for rows in images]
    values = [curve[_TAUS.index(tau)] if tau else mean_defined(curve) for curve in curves]
    return np.array(values, np.float64)


def check_layer(*, level: int, tau: float) -> Mapping[str, Any]:
    """Refuse a layer or a threshold that the tables do not hold.

    Raises:
        ValueError: `level` is no layer's grey value, or `tau` is none of the ten and not 0.
    """
    if level not in _LEVELS:
        raise ValueError(f"`level` is one of {', '.join(map(str, _LEVELS))}, but got {level=}.")
    if tau and tau not in _TAUS:
        raise ValueError(f"`tau` is 0 or one of {', '.join(map(str, _TAUS))}, but got {tau=}.")
    return {}


def _standing() -> Iterator[Standing]:
    for level, worth in _LEVELS.items():
        for tau in _TAUS:
            name, label = f"layer_jaccard_{worth}_at_{100 * tau:.0f}", f"Jaccard, layer {worth}, at {tau:g}"
            yield Standing(level="tables", name=name, label=label, params={"level": level, "tau": tau})
        where = "report" if worth >= 0 else "tables"
        label = f"Jaccard, layer {worth}"
        yield Standing(level=where, name=f"layer_jaccard_{worth}", label=label, params={"level": level})  # type: ignore[arg-type]


LAYER_JACCARD = MetricRecord(
    name="layer_jaccard",
    label="Jaccard",
    summary="Jaccard index of the hot part of a map and a layer (`level`), at `tau` or the mean over ten",
    source="SaliencyCNNAnalysis, skin-layer maps in grey code",
    build=layer_jaccard,
    facts=check_layer,
    reads="layers",
    needs=frozenset({"eval_masks", "layers"}),
    threshold=lambda images, /, *, level, tau: tau or math.nan,
    threshold_from="fixed",
    interval=False,
    order=215,
    standing=tuple(_standing()),
)
