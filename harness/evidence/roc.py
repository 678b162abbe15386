"""ROC curves of systems with the operating points of readers, as a picture. Not the areas: those are in the tables."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.contract.tables import OWN_HEAD
from harness.evidence.comparison import by_model
from harness.evidence.scores import Array, auroc

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SUSPICIOUS = 0.02
"""Above it a finding is BI-RADS 4, whose likelihood of malignancy is above 2 %: a reader would ask for a biopsy.

Source: ACR BI-RADS Atlas, 5th edition, 2013.
"""
_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7f3c8d",
    "#80ba5a",
    "#8c564b",
    "#333333",
)
_INK, _MUTED = "#222222", "#9a9a9a"


def roc_curve(labels: Array, scores: Array) -> tuple[Array, Array]:
    """False and true positive rate at every distinct score, from (0, 0) to (1, 1).

    Args:
        labels: "n" of 1, 0 and NaN; unknown ones do not count.
        scores: "n"; rows of one score are called together.

    Raises:
        ValueError: only one label occurs: there is no curve.
    """
    from sklearn.metrics import roc_curve as curve

    known = ~np.isnan(labels)
    if np.unique(labels[known]).size < 2:
        raise ValueError("only one label occurs, so that there is no ROC curve.")
    false, true, _ = curve(labels[known], scores[known])
    return false, true


def operating_point(labels: Array, scores: Array, threshold: float) -> tuple[float, float]:
    """1 - specificity and sensitivity of calling positive what scores above `threshold`; NaN without such labels."""
    called = scores > threshold
    rates = [called[labels == label] for label in (0, 1)]
    false, true = (float(rate.mean()) if rate.size else float("nan") for rate in rates)
    return false, true


def roc_figure(
    predictions: pd.DataFrame,
    label: str,
    *,
    order: Sequence[str],
    readers: Sequence[str] = (),
    threshold: float = SUSPICIOUS,
    kind: Literal["svg", "png"] = "svg",
) -> bytes:
    """ROC curves of one class on the test split, with a point for each reader.

    Readers gave probabilities, so that each has a curve (thin) and a point on it: what would be called
    positive above `threshold`. The large point is the mean of the readers' points.

    Args:
        predictions: rows of all confirmed models; the head `output` is read.
        label: the class.
        order: variants that are drawn as curves, one a run, in one colour a variant.
        readers: variants whose runs are readers.
        threshold: of the readers' points; the default suits likelihoods of malignancy only.
        kind: of the picture.
    """
    from matplotlib.figure import Figure

    rows = predictions[(predictions["split"] == "test") & (predictions["head"] == OWN_HEAD)]
    rows = rows[rows["class"] == label]
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=_MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    for place, name in enumerate(order):
        _draw_curves(axis, rows[rows["variant"] == name], name, _COLOURS[place % len(_COLOURS)])
    for marker, name in zip("osD^v", readers, strict=False):
        _draw_readers(axis, rows[rows["variant"] == name], name, threshold, marker)
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axis.set_xlabel("1 − specificity", color=_INK)
    axis.set_ylabel("sensitivity", color=_INK)
    axis.set_title(label, color=_INK, fontsize=11, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="lower right", fontsize=8, frameon=False, title="AUC", title_fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


def _runs(rows: pd.DataFrame) -> list[tuple[Array, Array]]:
    """Labels and scores of each run that has a curve."""
    arrays = [(own["label"].to_numpy(np.float64), own["score"].to_numpy(np.float64)) for _, own in by_model(rows)]
    return [(labels, scores) for labels, scores in arrays if {0, 1} <= set(labels)]


def _draw_curves(axis: Axes, rows: pd.DataFrame, name: str, colour: str) -> None:
    runs = _runs(rows)
    for place, (labels, scores) in enumerate(runs):
        text = f"{name} {_area(runs)}" if place == 0 else None
        axis.plot(*roc_curve(labels, scores), color=colour, linewidth=1.6 if len(runs) == 1 else 0.9, label=text)


def _draw_readers(axis: Axes, rows: pd.DataFrame, name: str, threshold: float, marker: str) -> None:
    runs = _runs(rows)
    if not runs:
        return
    points = np.array([operating_point(labels, scores, threshold) for labels, scores in runs])
    for labels, scores in runs:
        axis.plot(*roc_curve(labels, scores), color=_MUTED, linewidth=0.5, alpha=0.6, zorder=1)
    text = f"{name} {_area(runs)}, mean of {len(runs)};\npoints: above {threshold:g}"
    axis.plot(*points.T, marker, color=_INK, markersize=4, linestyle="none", label=text, zorder=4)
    axis.plot(*points.mean(0), marker, color=_INK, markersize=10, markerfacecolor="none", markeredgewidth=1.6, zorder=4)


def _area(runs: Sequence[tuple[Array, Array]]) -> str:
    """The mean of the runs' areas, as .881."""
    found = [auroc(labels[:, None], scores[:, None], ["x"])["x"] for labels, scores in runs]
    return f"{np.mean(found):.3f}".removeprefix("0")
