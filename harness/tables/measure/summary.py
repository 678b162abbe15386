"""The tables of a study: the values of each variant on the test split, with intervals.

All values are computed from the tables of confirmed models, so that external predictions are treated alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.contract.keys import RANKED
from harness.contract.tables import OWN_HEAD
from harness.metrics.metric import Metric
from harness.statistics.arrays import mean_defined
from harness.statistics.bootstrap import Resamples, interval
from harness.statistics.ensemble import by_unit
from harness.tables.compare.comparison import VariantValues, comparable, measured, ranked
from harness.tables.rows import REPLICATE
from harness.tables.terms import READS, Tables

if TYPE_CHECKING:
    import pandas as pd


def variant_table(
    tables: Tables,
    metrics: Sequence[Metric] = (),
    *,
    baseline: str,
    order: Sequence[str],
    classes: Sequence[str],
    heads: bool = False,
    unit: bool = False,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the test values of every variant, in study order.

    Args:
        tables: of all confirmed models.
        metrics: shown after the AUROC, which every table has.
        baseline: the variant that differences are taken to; "" for none.
        order: the variants' names; those without predictions are left out.
        classes: the classes' names, in order.
        heads: adds a row for each head of a model below its own output.
        unit: scores units (a breast of two views) instead of images, by the mean score; maps stay by image.
        resamples: bootstrap samples of patients.
        seed: of the resampling.

    Returns:
        `variant`, `head`, `replicates`; then for `auroc` and each metric's key: `auroc` and `auroc/<class>`, means over
        replicates; `auroc_std` over replicates; `auroc_low` and `auroc_high`, 95 % over patients with the replicates
        held fixed, NaN if more than `bootstrap.MOST_UNDEFINED` of the resamples lack the value (for example without
        a positive patient); `auroc_undefined`, that share; `auroc_difference`, `_low`, `_high`, paired with the
        baseline's own output.
    """
    import pandas as pd

    assert tables.predictions is not None
    if unit:  # what was computed from the scores of images is not taken over
        maps = {metric.key for metric in metrics if READS[metric.record.reads][0] != "predictions"}
        kept = {place: values for place, values in tables.kept.items() if place[0] in maps}
        tables = replace(tables, predictions=by_unit(tables.predictions), kept=kept, _models={})
    assert tables.predictions is not None
    tested = tables.predictions[tables.predictions["split"] == "test"]
    drawn = Resamples.draw(tested["group"].unique(), resamples, seed)
    found = {RANKED: ranked(tested, drawn, classes, tables.kept)}
    shown = {metric.key: metric for metric in metrics if metric.level is None or tables.has(metric)}
    found |= {key: measured(tables, metric, drawn, classes) for key, metric in shown.items()}
    equal = {key: tables.equal(metric) for key, metric in shown.items()}
    rows = []
    for variant, head in _rows(tested, order, heads):
        row: dict[str, Any] = {
            "variant": variant,
            "head": head,
            "replicates": len(found[RANKED][variant, head].replicates),
        }
        for name, of_variant in found.items():
            own, base = of_variant.get((variant, head)), of_variant.get((baseline, OWN_HEAD))
            apart = (variant, head) != (baseline, OWN_HEAD) and comparable(equal.get(name, {}), variant, baseline)
            row |= _columns(name, own, base if apart else None, classes)
        rows.append(row)
    return pd.DataFrame(rows)


def replicates_table(tables: Tables, metrics: Sequence[Metric], *, classes: Sequence[str]) -> pd.DataFrame:
    """Return every metric of every trained model and head on the test split, a row per model and head."""
    import pandas as pd

    rows: dict[tuple[Any, ...], dict[str, float]] = {}
    for metric in metrics:
        fits = tables.models(metric, metric.split, controls=True) if metric.split else {}
        for key, own in tables.models(metric, controls=True).items():
            if not any(terms.count for terms in own.of(metric, classes).values()):
                continue
            values = dict.fromkeys(() if metric.record.whole == "only" else classes, math.nan)
            for name, terms, threshold, defined in own.fitted(metric, fits.get(key), classes):
                values[name] = float(metric.value(terms.value, None, threshold)) if defined else math.nan
            whole = values.pop("") if "" in values else mean_defined(list(values.values()))
            row = rows.setdefault(key, {})
            row |= {metric.key: whole, **{f"{metric.key}/{name}": value for name, value in values.items()}}
    return pd.DataFrame(
        [dict(zip(("variant", "head", *REPLICATE), key, strict=True)) | row for key, row in rows.items()]
    )


def _rows(tested: pd.DataFrame, order: Sequence[str], heads: bool) -> Iterable[tuple[str, str]]:
    for variant in order:
        found = tested.loc[tested["variant"] == variant, "head"].unique().tolist()
        for head in sorted(found, key=lambda name: name != OWN_HEAD):
            if heads or head == OWN_HEAD:
                yield variant, head


def _columns(
    name: str, own: VariantValues | None, base: VariantValues | None, classes: Sequence[str]
) -> dict[str, float]:
    """Return the columns of one metric in one row; NaN for absent values."""
    keys = [name, *(f"{name}/{label}" for label in classes), f"{name}_std", f"{name}_low", f"{name}_high"]
    keys += [f"{name}_undefined", f"{name}_difference", f"{name}_difference_low", f"{name}_difference_high"]
    row = dict.fromkeys(keys, math.nan)
    if own is None:
        return row
    whole = interval(own.over_replicates())
    row |= {name: whole.value, f"{name}_low": whole.low, f"{name}_high": whole.high, f"{name}_std": own.spread()}
    row[f"{name}_undefined"] = whole.undefined
    row |= {f"{name}/{label}": float(own.over_replicates(label)[0]) for label in classes}
    if base is not None and (name == RANKED or own.same_images(base)):
        gap = interval(own.minus(base))
        row[f"{name}_difference"] = gap.value
        row |= {f"{name}_difference_low": gap.low, f"{name}_difference_high": gap.high}
    return row


def over_replicates(values: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation over replicates of values in long form.

    Returns:
        The key columns without seed and fold, then `value` (mean over replicates that have it), `std` (NaN for one
        replicate), `replicates` (their number), and `n` (mean over replicates) if the table has it.
    """
    import pandas as pd

    keys = [name for name in ("variant", "head", "map", "class", "metric", "stratum") if name in values]
    wanted = {"value": ("value", "mean"), "std": ("value", "std"), "replicates": ("value", "count")}
    wanted |= {"n": ("n", "mean")} if "n" in values else {}
    if values.empty:
        return pd.DataFrame(columns=[*keys, *wanted])
    return values.groupby(keys, sort=False).agg(**wanted).reset_index()
