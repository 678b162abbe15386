"""Whether a map shows what the score rests on: figures of the faithfulness table, and the decision chart.

Two readings of "Drop in Confidence" stand in the literature, and both are here. One covers the rest of
the image and wants a small drop (Chattopadhay et al. 2018; pytorch-grad-cam); the other covers what the
map calls important and wants a large one. "Increase in Confidence" covers the rest in both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage, stats

from harness.contract.tables import SHIFTED
from harness.metrics.maps.localisation import localisable
from harness.metrics.scores.ranking import Array
from harness.statistics.bootstrap import Resamples, average, if_enough, interval, mean
from harness.tables.compare.comparison import RUN

if TYPE_CHECKING:
    import pandas as pd

_WINDOW_SIGMA, _WINDOW_RADIUS = 1.5, 5


def drop(before: Array, after: Array) -> Array:
    """Drop in Confidence of each image: max(0, Y - O).

    Args:
        before: Y, the class's probability on the image as it is.
        after: O, on the covered image.
    """
    fall: Array = np.maximum(0.0, np.asarray(before, np.float64) - np.asarray(after, np.float64))
    return fall


def relative_drop(before: Array, after: Array) -> Array:
    """Average Drop % of each image: 100 max(0, Y - O) / Y, of probabilities; NaN where Y is 0.

    Source: Chattopadhay et al. 2018, WACV, section 4.1.
    """
    before = np.asarray(before, np.float64)
    share: Array = np.divide(100 * drop(before, after), before, out=np.full(before.shape, math.nan), where=before > 0)
    return share


def increase(before: Array, after: Array) -> Array:
    """Increase in Confidence of each image: 1 where O > Y, else 0.

    Source: Chattopadhay et al. 2018, WACV, section 4.1.
    """
    rose: Array = (np.asarray(after, np.float64) > np.asarray(before, np.float64)).astype(np.float64)
    return rose


def curve_area(scores: Array) -> float:
    """Area under a curve of scores at equal steps from 0 to all of the pixels, by the trapezoidal rule; in [0, 1].

    Source: Petsiuk et al. 2018, BMVC (insertion: higher is better; deletion: lower is better).
    """
    values = np.asarray(scores, np.float64)
    return float((values[1:] + values[:-1]).mean() / 2)


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rank correlation of two maps, pixel by pixel; NaN where one of them is constant.

    Source: Adebayo et al. 2018, NeurIPS, section 4.
    """
    a, b = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(stats.spearmanr(a, b).statistic)


def structural_similarity(first: Array, second: Array) -> float:
    """SSIM of two maps in [0, 1]: Gaussian window of deviation 1.5 and 11 x 11 pixels, edges mirrored.

    Source: Wang et al. 2004, IEEE Transactions on Image Processing, equation 13, K1 = .01, K2 = .03, L = 1.
    """

    def smooth(values: Array) -> Array:
        found: Array = ndimage.gaussian_filter(values, _WINDOW_SIGMA, radius=_WINDOW_RADIUS)
        return found

    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    mean_a, mean_b = smooth(a), smooth(b)
    spread = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    shared = smooth(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    of = (2 * mean_a * mean_b + c1) * (2 * shared + c2) / ((mean_a**2 + mean_b**2 + c1) * (spread + c2))
    return float(of.mean())


def faithfulness_table(
    rows: pd.DataFrame, *, order: Sequence[str] = (), resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Figures of every map by every measure, with 95 % intervals over patients.

    Args:
        rows: the faithfulness table of all confirmed models.
        order: the variants' names; those that are not named follow in the order of the rows.
        resamples: bootstrap samples of patients.
        seed: of the resampling.

    Returns:
        `variant`, `map`, `method`, `level`, `runs`, `n` (images a run, at least); then, each with `_low` and `_high`
        and NaN where the method has no such figure:
        `rest_drop`, `rest_drop_percent`, `rest_increase`: the rest of the image is covered;
        `important_drop`, `important_drop_percent`, `important_increase`: the important part is;
        `margin`: mean probability with the rest covered minus that with the important part covered;
        `margin_shifted`: that of the same map moved to a random place; `margin_gain`: the first less the second,
        paired by image, NaN of tables from before it was measured;
        `curve_area`, `rank_correlation`, `ssim`. A mean over images, then over runs.
    """
    import pandas as pd

    if rows.empty:
        return pd.DataFrame(columns=["variant", "map", "method", "level", "runs", "n", *_with_bounds(FIGURES)])
    drawn = Resamples.draw(rows["group"].unique(), resamples, seed)
    found = []
    for keys, own in rows.groupby(["variant", "map", "method", "level"], dropna=False, sort=False):
        counts, patients = own.groupby(RUN, dropna=False)["id"].nunique(), own["group"].nunique()
        row = dict(zip(("variant", "map", "method", "level"), keys, strict=True))
        row |= {"runs": len(counts), "n": int(counts.min())}
        for name, of in FIGURES.items():
            row |= _bounded(name, if_enough(_over_runs(own, drawn, of), patients))
        found.append(row)
    names = list(dict.fromkeys([*order, *rows["variant"]]))
    table = pd.DataFrame(found)
    return table.sort_values("variant", key=lambda own: own.map(names.index), kind="stable", ignore_index=True)


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


def _column(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows.set_index("group")[name].dropna()


def _of_cover(covered: str, figure: Callable[[Array, Array], Array]) -> Callable[[pd.DataFrame], pd.Series]:
    def of(rows: pd.DataFrame) -> pd.Series:
        own = rows[rows["covered"] == covered].set_index("group")
        return own["before"] * 0 + figure(own["before"].to_numpy(), own["after"].to_numpy())

    return of


def _margins(rows: pd.DataFrame, of: str = "") -> pd.Series:
    """Paired by image: after covering the rest, minus after covering the important part."""
    index = ["group", "id", "class"]
    rest, important = (rows[rows["covered"] == of + name].set_index(index)["after"] for name in ("rest", "important"))
    return (rest - important).dropna()


def _margin(rows: pd.DataFrame) -> pd.Series:
    return _margins(rows).reset_index(["id", "class"], drop=True)


def _margin_shifted(rows: pd.DataFrame) -> pd.Series:
    return _margins(rows, SHIFTED).reset_index(["id", "class"], drop=True)


def _margin_gain(rows: pd.DataFrame) -> pd.Series:
    """Paired by image: the map's margin less that of the same map at a random place."""
    return (_margins(rows) - _margins(rows, SHIFTED)).dropna().reset_index(["id", "class"], drop=True)


FIGURES: Mapping[str, Callable[[Any], Any]] = {
    "rest_drop": _of_cover("rest", drop),
    "rest_drop_percent": _of_cover("rest", relative_drop),
    "rest_increase": _of_cover("rest", increase),
    "important_drop": _of_cover("important", drop),
    "important_drop_percent": _of_cover("important", relative_drop),
    "important_increase": _of_cover("important", increase),
    "margin": _margin,
    "margin_shifted": _margin_shifted,
    "margin_gain": _margin_gain,
    "curve_area": _column("curve_area"),
    "rank_correlation": _column("rank_correlation"),
    "ssim": _column("ssim"),
}
"""Figure -> its value an image, indexed by patient, from the rows of one model, map, method and level."""


def _over_runs(rows: pd.DataFrame, drawn: Resamples, of: Callable[[pd.DataFrame], pd.Series]) -> Array:
    """Mean over images, then over runs, in every resample."""
    runs = []
    for _, own in rows.groupby(RUN, dropna=False, sort=False):
        values = of(own)
        groups: list[Hashable] = values.index.tolist()
        runs.append(drawn.apply(groups, mean(values.to_numpy(np.float64))) if groups else np.full(1, math.nan))
    return average(runs)


def _bounded(name: str, values: Array) -> dict[str, float]:
    found = interval(values)
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _with_bounds(names: Iterable[str]) -> list[str]:
    return [f"{name}{bound}" for name in names for bound in ("", "_low", "_high")]
