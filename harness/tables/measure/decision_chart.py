"""The decision charts: what a map's reliability, its focus and the model's accuracy say together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.metrics.maps.localisation import localisable

if TYPE_CHECKING:
    import pandas as pd


def focus_verdict(focused: bool, reliable: bool) -> str:
    """Attention x reliability of the map: whether what the model looks at can be trusted.

    Source: the first chart of the SaliencyCNNAnalysis study of skin ultrasound. It does not say what an
    unreliable map tells; here: nothing.
    """
    if not reliable:
        return "the map does not show what the score rests on: nothing follows"
    return "trust the model's focus" if focused else "distrust the model's focus"


def model_verdict(accurate: bool, focused: bool) -> str:
    """Accuracy x focus: what to do with the model.

    Source: the second chart of the SaliencyCNNAnalysis study of skin ultrasound.
    """
    if accurate:
        return "trust" if focused else "likely over-fitted on artefacts"
    return "find the source of error" if focused else "insufficient training"


def decision_chart(
    table: pd.DataFrame,
    focus: Mapping[tuple[str, str], float],
    accuracy: Mapping[str, float],
    *,
    focus_from: float = 0.5,
    accuracy_from: float = 0.8,
) -> pd.DataFrame:
    """Both charts for every variant and map whose cover was measured.

    A map is reliable where the score holds better with the rest covered than with the important part covered, and
    better so than by the same map at a random place: the intervals of `margin` and of `margin_gain` lie above 0. A map
    that marks everything has a large margin and no gain. The source names no limits; these are ours.

    Args:
        table: as `faithfulness_table` gives it; of `zero` every threshold is a row.
        focus: (variant, map) -> how well the map lies on the lesion, in [0, 1]: the pointing game, say.
        accuracy: variant -> AUROC, or another figure in [0, 1].
        focus_from: from where on a map is on the lesion.
        accuracy_from: from where on a model is accurate.

    Returns:
        `variant`, `map`, `method`, `level`, `margin`, `margin_gain`, `reliable` (NA where the gain was not measured),
        `focus`, `accuracy`, `of_focus`, `of_model`; verdicts are "" where focus, accuracy or reliability are not
        known, or the map is not reliable.
    """
    import pandas as pd

    found = []
    for row in table[table["method"].isin(("darken", "zero"))].to_dict("records"):
        seen = focus.get((row["variant"], row["map"]), math.nan)
        right = accuracy.get(row["variant"], math.nan)
        reliable, known = _reliable(row), not math.isnan(seen)
        chart = {name: row[name] for name in ("variant", "map", "method", "level", "margin", "margin_gain")}
        chart |= {"reliable": reliable, "focus": seen, "accuracy": right}
        told = reliable is False or (reliable is True and known)
        chart["of_focus"] = focus_verdict(seen >= focus_from, bool(reliable)) if told else ""
        whole = known and reliable is True and not math.isnan(right)
        chart["of_model"] = model_verdict(right >= accuracy_from, seen >= focus_from) if whole else ""
        found.append(chart)
    columns = ["variant", "map", "method", "level", "margin", "margin_gain", "reliable", "focus", "accuracy"]
    return pd.DataFrame(found, columns=[*columns, "of_focus", "of_model"]).astype({"reliable": "boolean"})


def _reliable(row: Mapping[Any, Any]) -> bool | None:
    """None where it cannot be told: the gain was not measured, of too few patients, or the same in every resample."""
    if row["margin"] <= 0 or row["margin_gain"] <= 0:
        return False
    lows = [float(row["margin_low"]), float(row["margin_gain_low"])]
    return None if any(math.isnan(low) for low in lows) else all(low > 0 for low in lows)


def pointing_by_map(maps: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(variant, map) -> how often the peak lies on the lesion: mean over test images and runs, of a maps table."""
    if maps.empty:
        return {}
    shown = localisable(maps[maps["split"] == "test"])
    return {(str(v), str(m)): float(own.mean()) for (v, m), own in shown.groupby(["variant", "map"])["peak_hit"]}
