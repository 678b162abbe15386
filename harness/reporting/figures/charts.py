"""The report's charts, as SVG: small enough for a phone, in colours that colour-blind readers can distinguish.

A chart is 4.4 inches wide with letters of 9 points, so that they stay legible at 390 pixels. Lines differ by dash
too. matplotlib's global settings stay unchanged.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contract.keys import RANKED
from harness.reporting.figures.pictures import INK, MUTED
from harness.statistics.arrays import Array
from harness.tables.markdown import p_value

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDE_IN = 4.4
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333", "#7f3c8d")
"""Okabe and Ito 2008, and two more."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), "-", (0, (3, 1)), "-", "--")
MARKS = "osD^vPX*"
FEWEST = 5
"""Number of images of a bin below which a reliability diagram leaves it out."""
ACCENT = "#0072b2"
_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "harness",
}


def draw(paint: Callable[[Axes], None], high_in: float = 3.6, legend: bool = False) -> bytes:
    """Return an SVG of one pair of axes that `paint` fills, with any legend below the chart."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(WIDE_IN, high_in), layout="constrained")
        axis = figure.subplots()
        paint(axis)
        if legend and (texts := axis.get_legend_handles_labels()[1]):
            columns = 2 if max(map(len, texts)) <= 22 else 1
            figure.legend(loc="outside lower left", ncols=columns, fontsize=8.5, handlelength=2.6)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def forest(table: pd.DataFrame, metric: str, axis_label: str, p_values: str = "") -> bytes:
    """Draw each variant's paired difference to the baseline with its interval; the baseline is the line at 0."""
    rows = [row for row in table.to_dict("records") if not math.isnan(row[f"{metric}_difference"])][::-1]

    def paint(axis: Axes) -> None:
        axis.axvline(0, color=MUTED, linewidth=1)
        for place, row in enumerate(rows):
            low, value, high = (row[f"{metric}_difference{end}"] for end in ("_low", "", "_high"))
            if not math.isnan(low):
                axis.plot([low, high], [place, place], color=ACCENT, linewidth=2, solid_capstyle="butt")
            axis.plot(value, place, "o", color=ACCENT, markersize=5)
            if p_values:
                text = p_value(row[p_values])
                axis.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), fontsize=8, va="center")
        if p_values:
            axis.annotate("p, Holm", (1.02, len(rows) - 0.3), xycoords=("axes fraction", "data"), fontsize=8)
        axis.set_yticks(range(len(rows)), [str(row["variant"]) for row in rows])
        axis.set_ylim(-0.6, len(rows) - 0.2)
        axis.set_xlabel(axis_label)
        axis.locator_params(axis="x", nbins=5)
        axis.ticklabel_format(axis="x", scilimits=(-3, 4))
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)

    return draw(paint, 0.9 + 0.24 * len(rows))


def sweep(values: Array, table: pd.DataFrame, baseline: str, metric: str, names: tuple[str, str]) -> bytes:
    """Draw a metric against one setting, with its interval as a band and the baseline as a ring."""
    order = np.argsort(values, kind="stable")
    values, rows = values[order], table.iloc[order]

    def paint(axis: Axes) -> None:
        low, high = rows[f"{metric}_low"].to_numpy(float), rows[f"{metric}_high"].to_numpy(float)
        axis.fill_between(values, low, high, color=ACCENT, alpha=0.2, linewidth=0, label="95 % interval")
        axis.plot(values, rows[metric], "-o", color=ACCENT, markersize=5, label="mean over models")
        own = rows["variant"].to_numpy() == baseline
        axis.plot(
            values[own], rows[metric].to_numpy()[own], "o", color="none", markeredgecolor=COLOURS[1],
            markeredgewidth=2, markersize=11, label=f"{baseline}, the baseline",
        )  # fmt: skip
        if values.min() > 0 and values.max() / values.min() >= 8:
            axis.set_xscale("log")
        axis.set_xticks(values, [f"{value:g}" for value in values])
        axis.set_xticks([], minor=True)
        axis.set(xlabel=names[0], ylabel=names[1])

    return draw(paint, 3.4, legend=True)


def curves(
    found: Mapping[str, tuple[Array, Array]],
    labels: Mapping[str, str],
    axes: tuple[str, str],
    *,
    diagonal: bool = False,
    level: float = math.nan,
    points: Mapping[str, Array] | None = None,
) -> bytes:
    """Draw curves in the unit square, one per variant.

    Args:
        found: variant -> x and y.
        labels: variant -> legend text.
        axes: the axes' names.
        diagonal: draws the diagonal of chance.
        level: draws a horizontal line of chance; NaN for none.
        points: legend text -> operating points "p 2", of readers; a ring marks their mean.
    """

    def paint(axis: Axes) -> None:
        if diagonal:
            axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        if not math.isnan(level):
            axis.axhline(level, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        for place, (name, (x, y)) in enumerate(found.items()):
            dash = DASHES[(place + place // 8) % 8]  # a ninth curve has the first one's colour and another dash
            axis.plot(x, y, color=COLOURS[place % 8], linestyle=dash, linewidth=1.5, label=labels[name])
        for mark, (name, own) in zip("osD^v", (points or {}).items(), strict=False):
            axis.plot(*own.T, mark, color=INK, markersize=4, linestyle="none", label=name, zorder=4)
            axis.plot(*own.mean(0), mark, color=INK, markersize=10, markerfacecolor="none", markeredgewidth=1.6)
        axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel=axes[0], ylabel=axes[1])

    return draw(paint, 4.2 + 0.1 * (len(found) + len(points or {})), legend=True)


def reliability(table: pd.DataFrame, order: Sequence[str]) -> bytes:
    """Draw the share of positives against the mean score, a line per variant; larger marks represent more images."""

    def paint(axis: Axes) -> None:
        axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)), label="calibrated")
        for place, name in enumerate(order):
            own = table[(table["variant"] == name) & (table["count"] >= FEWEST)]
            colour = COLOURS[place % 8]
            axis.plot(own["score"], own["share"], color=colour, linestyle=DASHES[place % 8], linewidth=1.2)
            sizes = 12 + 90 * own["count"].to_numpy(float) / max(1, own["count"].max())
            axis.scatter(own["score"], own["share"], s=sizes, color=colour, marker=MARKS[place % 8], label=name)
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axis.set(xlabel="mean score in a bin", ylabel="share of positives in it")

    return draw(paint, 4.4 + 0.1 * len(order), legend=True)


def scatter(table: pd.DataFrame, baseline: str, metric: str, title: str) -> bytes:
    """Draw a metric against AUC, a numbered point per variant with its intervals; row 1 is number 1."""

    def paint(axis: Axes) -> None:
        for place, row in enumerate(table.to_dict("records")):
            colour = COLOURS[1] if row["variant"] == baseline else ACCENT
            spans = {"x": RANKED, "y": metric}
            bars = {f"{on}err": _bars(row, name) for on, name in spans.items()}
            axis.errorbar(row[RANKED], row[metric], **bars, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.35)
            axis.plot(row[RANKED], row[metric], "o", color=colour, markersize=5)
            axis.annotate(str(place + 1), (row[RANKED], row[metric]), xytext=(4, 4), textcoords="offset points")
        axis.set(xlabel="test AUC, mean over classes", ylabel=title)

    return draw(paint, 3.8)


def tuning(table: pd.DataFrame, order: Sequence[str], name: str, expected: bool) -> bytes:
    """Draw the validation metric expected of n random trials with its spread, or the best so far."""

    def paint(axis: Axes) -> None:
        for place, variant in enumerate(order):
            own = table[table["variant"] == variant]
            look = {"color": COLOURS[place % 8], "linestyle": DASHES[place % 8], "marker": MARKS[place % 8]}
            values = own["expected" if expected else "best"]
            axis.plot(own["trials"], values, **look, markersize=4, linewidth=1.3, label=variant)
            if expected:
                low, high = values - own["spread"], values + own["spread"]
                axis.fill_between(own["trials"], low, high, color=look["color"], alpha=0.08, linewidth=0)
        most = int(table["trials"].max())
        axis.set_xticks(np.unique(np.linspace(1, most, min(most, 8)).round()))
        what = "expected best" if expected else "observed running best"
        axis.set(xlabel="trials, including pruned and failed ones", ylabel=f"{name}, {what}")

    return draw(paint, 3.5 + 0.1 * len(order), legend=True)


def importance(table: pd.DataFrame) -> bytes:
    """Draw the importance of each searched parameter: a dot per variant, a bar for their mean."""
    means = table.groupby("parameter")["importance"].mean().sort_values()

    def paint(axis: Axes) -> None:
        axis.barh(range(len(means)), means.to_numpy(), color=ACCENT, alpha=0.25, height=0.6)
        for place, name in enumerate(means.index):
            own = table.loc[table["parameter"] == name, "importance"]
            axis.plot(own, np.full(len(own), place), "o", color=ACCENT, markersize=4, alpha=0.7)
        axis.set_yticks(range(len(means)), list(means.index))
        axis.set(xlim=(0, 1.02), xlabel="share of the variance of the validation metric")

    return draw(paint, 0.9 + 0.35 * len(means))


def _bars(row: Mapping[Any, Any], name: str) -> Any:
    low, high = row[name] - row[f"{name}_low"], row[f"{name}_high"] - row[name]
    return None if math.isnan(low) else [[max(low, 0)], [max(high, 0)]]
