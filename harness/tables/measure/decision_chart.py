"""The decision charts, from the reliability of a map, its focus and the accuracy of the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.metrics.maps.localisation import localisable

if TYPE_CHECKING:
    import pandas as pd


def focus_verdict(focused: bool, reliable: bool) -> str:
    """Return the verdict on the model's focus, from focus and reliability of the map.

    Source: the first chart of the SaliencyCNNAnalysis study of skin ultrasound. It leaves unreliable maps open;
    here they allow no conclusion.
    """
    if not reliable:
        return "no conclusion: the map is not reliable"
    return "trust the model's focus" if focused else "distrust the model's focus"


def model_verdict(accurate: bool, focused: bool) -> str:
    """Return the verdict on the model, from accuracy and focus.

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
    """Return both charts for every variant and map whose covering was measured.

    A map is reliable if the intervals of `margin` and of `margin_gain` lie above 0. Then the score is higher with the
    rest covered than with the important part covered, and more so than for the same map at a random place. A map that
    marks everything has a large margin and no gain. The source gives no limits; these are our choice.

    Args:
        table: result of `faithfulness_table`; for `zero` every threshold is a row.
        focus: (variant, map) -> how well the map lies on the lesion, in [0, 1], for example the pointing game.
        accuracy: variant -> AUROC, or another metric in [0, 1].
        focus_from: the lowest focus of a focused map.
        accuracy_from: the lowest accuracy of an accurate model.

    Returns:
        `variant`, `map`, `method`, `level`, `margin`, `margin_gain`, `reliable` (NA if the gain was not measured),
        `focus`, `accuracy`, `of_focus`, `of_model`; verdicts are "" if focus, accuracy or reliability is unknown;
        `of_model` also if the map is not reliable.
    """
    import pandas as pd

    found = []
    for row in table[table["method"].isin(("darken", "zero"))].to_dict("records"):
        seen = focus.get((row["variant"], row["map"]), math.nan)
        right = accuracy.get(row["variant"], math.nan)
        reliable, known = _reliable(row), not math.isnan(seen)
        chart = {name: row[name] for name in ("variant", "map", "method", "level", "margin", "margin_gain")}
        chart |= {"reliable": reliable, "focus": seen, "accuracy": right}
        decided = reliable is False or (reliable is True and known)
        chart["of_focus"] = focus_verdict(seen >= focus_from, bool(reliable)) if decided else ""
        whole = known and reliable is True and not math.isnan(right)
        chart["of_model"] = model_verdict(right >= accuracy_from, seen >= focus_from) if whole else ""
        found.append(chart)
    columns = ["variant", "map", "method", "level", "margin", "margin_gain", "reliable", "focus", "accuracy"]
    return pd.DataFrame(found, columns=[*columns, "of_focus", "of_model"]).astype({"reliable": "boolean"})


def _reliable(row: Mapping[Any, Any]) -> bool | None:
    """Return the reliability; None if unknown: the gain is missing, of too few patients, or constant over resamples."""
    if row["margin"] <= 0 or row["margin_gain"] <= 0:
        return False
    lows = [float(row["margin_low"]), float(row["margin_gain_low"])]
    return None if any(math.isnan(low) for low in lows) else all(low > 0 for low in lows)


def pointing_by_map(maps: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return (variant, map) -> share of peaks on the lesion, mean over test images and replicates of a maps table."""
    if maps.empty:
        return {}
    shown = localisable(maps[maps["split"] == "test"])
    return {(str(v), str(m)): float(own.mean()) for (v, m), own in shown.groupby(["variant", "map"])["peak_hit"]}
