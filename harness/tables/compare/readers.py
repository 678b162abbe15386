"""The baseline against each reader and each other variant: areas, differences, p-values adjusted over all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.statistics.delong import Contrast
from harness.statistics.multiplicity import holm
from harness.tables.compare.contrasts import Areas
from harness.tables.rows import Replicate

if TYPE_CHECKING:
    import pandas as pd


def each_table(
    predictions: pd.DataFrame, *, baseline: str, order: Sequence[str], classes: Sequence[str]
) -> pd.DataFrame:
    """Return the baseline's test AUC against that of every other replicate: each reader, each table, each seed.

    Errors, intervals and p-values are by clustered DeLong, groups kept together. The interval of an area is that of
    its logit. p-values are adjusted by Holm over all rows.

    Args:
        predictions: rows of all confirmed models; the split `test` and the head `output` are read.
        baseline: the variant that the others are compared with; the mean of its replicates.
        order: the variants to compare, with or without `baseline`; those without predictions are left out.
        classes: the classes' names, in order; areas are means over them.

    Returns:
        `variant`; `replicate`, the reader's name or the seed, None for external predictions; `auroc`, `_low`,
        `_high` (95 %); `difference`, the baseline's area minus this one, `_low`, `_high`; `p` and `p_holm`.
        The baseline's replicates come first, without a difference. NaN if a class has too few groups, or scores have
        no variance (they are constant, or separate all groups).
    """
    import pandas as pd

    tested = predictions[(predictions["split"] == "test") & (predictions["head"] == OWN_HEAD)]
    tested = tested[tested["variant"].isin([baseline, *order])]
    areas = Areas.of(tested, classes)
    found = _replicates(tested, [baseline, *(name for name in order if name != baseline)])
    base = [run for name, run in found if name == baseline]
    rows = []
    for variant, run in found:
        own = _area(areas, [(variant, run)], classes)
        gap = (
            _area(areas, [(baseline, run) for run in base], classes, less=(variant, run))
            if variant != baseline
            else None
        )
        rows.append({"variant": variant, "replicate": run[0], **_columns(RANKED, own), **_columns("difference", gap)})
        rows[-1]["p"] = gap.p if gap else math.nan
    adjusted = holm(np.array([row["p"] for row in rows], dtype=np.float64))
    return pd.DataFrame([row | {"p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)])


def _replicates(tested: pd.DataFrame, order: Sequence[str]) -> list[tuple[str, Replicate]]:
    pairs = tested[["variant", "seed", "fold"]].drop_duplicates().astype(object)
    listed = [tuple(None if value != value else value for value in row) for row in pairs.to_numpy().tolist()]
    return [(name, (seed, fold)) for name in order for variant, seed, fold in listed if variant == name]


def _area(
    areas: Areas,
    replicates: Sequence[tuple[str, Replicate]],
    classes: Sequence[str],
    less: tuple[str, Replicate] | None = None,
) -> Contrast | None:
    """Return the replicates' mean area over classes, minus that of `less`; None if a class has unknown variance.

    A difference has the normal interval, an area that of its logit.
    """
    if areas.untested:
        return None
    weights = np.zeros(len(areas.rows))
    for sign, of in ((1, replicates), (-1, [less] if less else [])):
        for variant, run in of:
            known = [areas.rows[variant, run, name] for name in classes if (variant, run, name) in areas.rows]
            for row in known:
                weights[row] += sign / len(known) / len(of)
    return areas.aucs.contrast(weights) if less else areas.aucs.area(weights)


def _columns(name: str, found: Contrast | None) -> dict[str, Any]:
    values = (found.value, found.low, found.high) if found else (math.nan, math.nan, math.nan)
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))
