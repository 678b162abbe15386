"""The tables of a study: what each variant came to on the test split, and how sure that is.

Everything is computed from the predictions and maps tables, so that a system trained elsewhere and
brought as a table is treated alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.contract.tables import CONTROL, OWN_HEAD
from harness.metrics import functional
from harness.statistics.bootstrap import Resamples, interval
from harness.statistics.ensemble import by_unit
from harness.tables.compare.comparison import RUN, Figures, aucs, by_model, dices, heads_of

if TYPE_CHECKING:
    import pandas as pd


def variant_table(
    predictions: pd.DataFrame,
    maps: pd.DataFrame | None,
    *,
    baseline: str,
    order: Sequence[str],
    classes: Sequence[str],
    dice: bool = True,
    heads: bool = False,
    unit: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Test figures of every variant, in study order.

    Args:
        predictions: rows of all confirmed models; the split `test` is read.
        maps: rows of all confirmed models, or None.
        baseline: the variant that differences are taken to; "" for none.
        order: the variants' names; those without predictions are left out.
        classes: the classes' names, in order.
        dice: whether masks are outlines, so that areas may be compared.
        heads: adds a row for each head of a model beneath its own output.
        unit: a row a unit (a breast of two views) instead of an image, its score the mean; Dice stays by image.
        resamples: bootstrap samples of patients.
        seed: of the resampling.

    Returns:
        `variant`, `head`, `runs`; then for `auroc` (and `dice`): `auroc` and `auroc/<class>`, means over
        runs; `auroc_std` over runs; `auroc_low` and `auroc_high`, 95 % over patients with the runs as
        they are, NaN where more than `statistics.MOST_UNDEFINED` of the resamples lack the figure (as without a
        positive patient), `auroc_undefined` that share; `auroc_difference`, `_low`, `_high`, paired with
        the baseline's own output.
    """
    import pandas as pd

    tested = predictions[predictions["split"] == "test"]
    tested = by_unit(tested) if unit else tested
    drawn = Resamples.draw(tested["group"].unique(), resamples, seed)
    measured = {"auroc": aucs(tested, drawn, classes)}
    if dice and maps is not None and len(maps):
        shown = maps[(maps["split"] == "test") & ~maps["map"].str.startswith(CONTROL)]
        measured["dice"] = dices(shown, drawn, classes)
    rows = []
    for variant, head in _rows(tested, order, heads):
        row: dict[str, Any] = {"variant": variant, "head": head, "runs": len(measured["auroc"][variant, head].runs)}
        for name, figures in measured.items():
            own, base = figures.get((variant, head)), figures.get((baseline, OWN_HEAD))
            row |= _columns(name, own, base if (variant, head) != (baseline, OWN_HEAD) else None, classes)
        rows.append(row)
    return pd.DataFrame(rows)


def runs_table(
    predictions: pd.DataFrame, maps: pd.DataFrame | None, *, classes: Sequence[str], dice: bool = True
) -> pd.DataFrame:
    """Every figure of every trained model and head on the test split, a row each, nothing averaged."""
    import pandas as pd

    scores = {"auroc": functional.auroc, "auprc": functional.auprc, "brier": functional.brier}
    of_maps = {"pixel_ap": functional.pixel_ap_per_class, "pointing": functional.pointing_per_class}
    if dice:
        of_maps = {"dice": functional.dice_per_class, **of_maps}
    rows = {}
    for key, own in by_model(predictions[predictions["split"] == "test"]):
        arrays = functional.to_arrays(own, classes)
        rows[key] = {name: of(*arrays, classes) for name, of in scores.items()}
    if maps is not None and len(maps):
        shown = functional.localisable(maps[maps["split"] == "test"])
        for key, own in by_model(shown.assign(head=heads_of(shown))):
            rows.setdefault(key, {}).update({name: of(own, classes) for name, of in of_maps.items()})
    return pd.DataFrame(
        [dict(zip(("variant", "head", *RUN), key, strict=True)) | _flat(figures) for key, figures in rows.items()]
    )


def _rows(tested: pd.DataFrame, order: Sequence[str], heads: bool) -> Iterable[tuple[str, str]]:
    for variant in order:
        found = tested.loc[tested["variant"] == variant, "head"].unique().tolist()
        for head in sorted(found, key=lambda name: name != OWN_HEAD):
            if heads or head == OWN_HEAD:
                yield variant, head


def _columns(name: str, own: Figures | None, base: Figures | None, classes: Sequence[str]) -> dict[str, float]:
    """The columns of one metric in one row; NaN where there is no such figure."""
    keys = [name, *(f"{name}/{label}" for label in classes), f"{name}_std", f"{name}_low", f"{name}_high"]
    keys += [f"{name}_undefined", f"{name}_difference", f"{name}_difference_low", f"{name}_difference_high"]
    row = dict.fromkeys(keys, math.nan)
    if own is None:
        return row
    whole = interval(own.over_runs())
    row |= {name: whole.value, f"{name}_low": whole.low, f"{name}_high": whole.high, f"{name}_std": own.spread()}
    row[f"{name}_undefined"] = whole.undefined
    row |= {f"{name}/{label}": float(own.over_runs(label)[0]) for label in classes}
    if base is not None:
        gap = interval(own.minus(base))
        row[f"{name}_difference"] = gap.value
        row |= {f"{name}_difference_low": gap.low, f"{name}_difference_high": gap.high}
    return row


def _flat(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"{name}/{key}" if key else name: value for name, own in figures.items() for key, value in own.items()}


def over_runs(figures: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over runs of figures in long form: a row a variant, head or map, and figure.

    Args:
        figures: what `classification_table` or `localisation_table` gives.

    Returns:
        The columns that are no run's and no value, then `value` (mean over runs that have it), `std` (NaN of one
        run), `runs`; and `n` behind it, where the figures tell it, mean over runs.
    """
    import pandas as pd

    keys = [name for name in ("variant", "head", "map", "class", "metric", "stratum") if name in figures]
    wanted = {"value": ("value", "mean"), "std": ("value", "std"), "runs": ("value", "count")}
    wanted |= {"n": ("n", "mean")} if "n" in figures else {}
    if figures.empty:
        return pd.DataFrame(columns=[*keys, *wanted])
    return figures.groupby(keys, sort=False).agg(**wanted).reset_index()
