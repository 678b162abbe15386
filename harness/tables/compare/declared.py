"""The metrics that a study names in `metrics`, with the values that its confirmed models reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.contract.tables import OWN_HEAD

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("variant", "head", "metric", "class", "value", "std", "replicates")


def declared_table(
    reported: Iterable[tuple[str, Mapping[str, float]]], names: Sequence[str], split: str = "test"
) -> pd.DataFrame:
    """Return means over the confirmed models of each metric that they reported.

    Returns:
        A row per variant, head, metric and class ("" for the mean over classes, or the metric's value for all
        classes): mean, standard deviation (NaN for one model) and number of models.
    """
    import pandas as pd

    rows = []
    for variant, metrics in reported:
        for key, value in metrics.items():
            where, _, rest = key.partition("/")
            head, metric, label = _read(rest, names)
            if where == split and metric:
                rows.append({"variant": variant, "head": head, "metric": metric, "class": label, "value": value})
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    grouped = pd.DataFrame(rows).groupby(["variant", "head", "metric", "class"], sort=False)["value"]
    return grouped.agg(value="mean", std="std", replicates="count").reset_index()


def _read(key: str, names: Sequence[str]) -> tuple[str, str, str]:
    """Return head, metric and class of `metric`, `metric/class`, `head/metric` or `head/metric/class`."""
    parts = key.split("/")
    head = OWN_HEAD if parts[0] in names else parts.pop(0)
    return head, parts[0] if parts and parts[0] in names else "", "/".join(parts[1:])
