"""The critical-difference diagram: mean ranks on a line, methods that are not separated joined by a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.reporting.figures.pictures import INK, MUTED, png
from harness.statistics.ranks import Ranks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE_IN, _BAR = 0.26, 0.32


def critical_difference_figure(ranks: Ranks, title: str = "") -> bytes:
    """Return a PNG of the diagram of Demšar 2006: the best on the left, names with mean ranks below the axis."""
    from matplotlib.figure import Figure

    systems, bars = len(ranks.names), len(ranks.groups)
    lines = (systems + 1) // 2
    depth = _BAR * (bars + 1) + lines
    figure = Figure(figsize=(7.5, 1.1 + _LINE_IN * depth), layout="constrained")
    axis = figure.subplots()
    reach = 0.28 * (systems - 1)  # room on both sides of the axis for the names
    axis.set_xlim(1 - reach, systems + reach)
    axis.set_ylim(-depth, 1.7)
    axis.axis("off")
    axis.set_title(title, fontsize=11, color=INK, loc="left")
    _draw_scale(axis, ranks)
    for place, (first, last) in enumerate(ranks.groups):
        height = -_BAR * (place + 1)
        ends = [ranks.means[first] - 0.03, ranks.means[last] + 0.03]
        axis.plot(ends, [height, height], color=INK, linewidth=3.5, solid_capstyle="butt")
    _draw_names(axis, ranks, -_BAR * (bars + 1))
    return png(figure)


def _draw_scale(axis: Axes, ranks: Ranks) -> None:
    """Draw the axis of ranks, and above it the length of the critical difference."""
    systems = len(ranks.names)
    axis.plot([1, systems], [0, 0], color=INK, linewidth=1)
    for tick in range(1, systems + 1):
        axis.plot([tick, tick], [0, 0.15], color=INK, linewidth=1)
        axis.text(tick, 0.2, str(tick), ha="center", va="bottom", fontsize=8, color=INK)
    length = min(ranks.critical, systems - 1)  # a longer one separates no methods: the text states it
    axis.plot([1, 1 + length], [1, 1], color=MUTED, linewidth=1.5, marker="|")
    more = "" if ranks.critical <= systems - 1 else ", longer than the axis: no methods are separated"
    text = f"critical difference {ranks.critical:.2f} (Nemenyi, {ranks.level:.0%}, {ranks.datasets} data sets){more}"
    axis.text(1, 1.15, text, ha="left", va="bottom", fontsize=8, color=MUTED)


def _draw_names(axis: Axes, ranks: Ranks, top: float) -> None:
    """Draw the names of the better half on the left, the others on the right, each joined to its rank."""
    systems = len(ranks.names)
    half = (systems + 1) // 2
    for place, (name, mean) in enumerate(zip(ranks.names, ranks.means, strict=True)):
        left = place < half
        height = top - 0.5 - (place if left else systems - 1 - place)
        end = 1 - 0.02 * systems if left else systems + 0.02 * systems
        axis.plot([mean, mean, end], [0, height, height], color=MUTED, linewidth=0.8)
        text = f"{name}  {mean:.2f} " if left else f" {mean:.2f}  {name}"
        axis.text(end, height, text, ha="right" if left else "left", va="center", fontsize=9, color=INK)
