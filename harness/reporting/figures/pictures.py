"""Pictures for the report, as PNG bytes. matplotlib's global state stays unchanged."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.contract.tables import OVERLAYS, OVERLAYS_MORE, OVERLAYS_VERSION
from harness.metrics.maps.grid import resize_nearest
from harness.statistics.arrays import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

_COLOURS = ("#00a6e0", "#f03cc0", "#3fc41a", "#e0a800", "#a27bf0")
_PANEL_IN, _GAP_IN, _LINE_IN, _HEAD_IN, _FOOT_IN = 1.9, 0.1, 0.24, 0.4, 0.6
INK, MUTED = "#222222", "#767676"


def read_overlays(data: bytes) -> dict[str, Array]:
    """Return the arrays of `overlays.npz`; see `harness.contract.tables.OVERLAYS` and `OVERLAYS_MORE`.

    `version` and `chosen` are added to a file of version 1; `boxes` and `attention` may be missing.

    Raises:
        ValueError: an array is missing, or a newer harness wrote the file.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        missing = [name for name in OVERLAYS if name not in file.files]
        if missing:
            raise ValueError(f"overlays.npz has no {', '.join(missing)}; it must have {', '.join(OVERLAYS)}.")
        found = {name: file[name] for name in (*OVERLAYS, *OVERLAYS_MORE) if name in file.files}
    version = int(found.setdefault("version", np.array(1)))
    if version > OVERLAYS_VERSION:
        raise ValueError(
            f"overlays.npz has version {version}, this harness reads up to {OVERLAYS_VERSION}; upgrade the harness."
        )
    found.setdefault("chosen", np.ones(len(found["ids"]), bool))
    return found


def overlay_figure(overlays: Mapping[str, Array], title: str, images: int = 8) -> bytes:
    """Draw test images with their true outlines, and the saliency map of each class next to them.

    A row shows one or two images. The maps of a class share one colour scale, from 0 to their highest
    value, which the colour bar states: faint maps become visible, not strong.

    Args:
        overlays: arrays as `read_overlays` gives them.
        title: written above.
        images: how many to show at most.
    """
    from matplotlib.figure import Figure

    count, classes = min(images, len(overlays["images"])), [str(name) for name in overlays["classes"]]
    panels = len(classes) + 1
    beside = 2 if panels <= 3 and count > 1 else 1
    height, width = overlays["images"].shape[1:3]
    sheet = _Sheet(-(-count // beside), beside, panels, tall=_PANEL_IN * min(2.5, max(0.4, height / width)))
    figure = Figure(figsize=sheet.size)
    figure.text(_GAP_IN / sheet.size[0], 1 - 0.3 / sheet.size[1], title, fontsize=11, color=INK)
    for image in range(count):
        row, side = divmod(image, beside)
        axes = [figure.add_axes(sheet.panel(row, side, panel)) for panel in range(panels)]
        _draw_image(axes, overlays, image, classes)
    for k, name in enumerate(classes):
        left, bottom, wide, _ = sheet.panel(sheet.rows - 1, 0, k + 1)
        bar = figure.add_axes((left, bottom - 0.22 / sheet.size[1], 0.85 * wide, 0.11 / sheet.size[1]))
        _draw_bar(bar, name, _top(overlays, k))
        left = sheet.panel(0, 0, 0)[0]
        drop = (0.24 + 0.17 * k) / sheet.size[1]
        figure.text(left, bottom - drop, f"— true outline, {name}", fontsize=7, color=_COLOURS[k % len(_COLOURS)])
    return png(figure)


@dataclass(frozen=True)
class _Sheet:
    """The layout of panels: rows of `beside` images, each of `panels` panels `tall` inches high."""

    rows: int
    beside: int
    panels: int
    tall: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        wide = self.beside * (self.panels * (_PANEL_IN + _GAP_IN) + _GAP_IN) + _GAP_IN
        return wide, _HEAD_IN + self.rows * (self.tall + _LINE_IN) + _FOOT_IN

    def panel(self, row: int, side: int, panel: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height as fractions of the sheet."""
        wide, high = self.size
        left = _GAP_IN + side * (self.panels * (_PANEL_IN + _GAP_IN) + _GAP_IN) + panel * (_PANEL_IN + _GAP_IN)
        bottom = high - _HEAD_IN - (row + 1) * (self.tall + _LINE_IN)
        return left / wide, bottom / high, _PANEL_IN / wide, self.tall / high


def _draw_image(axes: Sequence[Axes], overlays: Mapping[str, Array], image: int, classes: Sequence[str]) -> None:
    picture, masks, maps = (overlays[name][image] for name in ("images", "masks", "maps"))
    axes[0].set_title(str(overlays["ids"][image]), fontsize=7, color=MUTED, loc="left", pad=2)
    for axis in axes:
        axis.imshow(picture, cmap="gray", interpolation="nearest")  # from its darkest to its brightest
        axis.set_xticks([])
        axis.set_yticks([])
    for k, name in enumerate(classes):
        _outline(axes[0], masks[k], _COLOURS[k % len(_COLOURS)])
        saliency = resize_nearest(maps[k].astype(np.float32), picture.shape[:2])
        axes[k + 1].imshow(saliency, cmap=_heat(), vmin=0, vmax=_top(overlays, k), interpolation="nearest")
        _outline(axes[k + 1], masks[k], _COLOURS[k % len(_COLOURS)])
        text = f"{name}: {_truth(float(overlays['labels'][image, k]))}, score {overlays['scores'][image, k]:.2f}"
        axes[k + 1].set_title(text, fontsize=7, color=INK, loc="left", pad=2)


def _outline(axis: Axes, mask: Array, colour: str) -> None:
    if mask.any():
        padded = np.pad(mask.astype(float), 1)  # so that a lesion at the border is closed
        places = [np.arange(-1, extent + 1) for extent in mask.shape]
        axis.contour(places[1], places[0], padded, levels=[0.5], colors=[colour], linewidths=1.1)
        axis.set_xlim(-0.5, mask.shape[1] - 0.5)
        axis.set_ylim(mask.shape[0] - 0.5, -0.5)


def _draw_bar(axis: Axes, name: str, top: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Normalize

    axis.set_facecolor("#555555")
    bar = Colorbar(axis, ScalarMappable(Normalize(0, top), _heat()), orientation="horizontal", ticks=[0, top / 2, top])
    bar.ax.set_xticklabels(["0", f"{top / 2:.2g}", f"{top:.2g}"])
    bar.ax.tick_params(labelsize=6, length=2, pad=1)
    bar.set_label(f"map of {name}", fontsize=7, color=INK, labelpad=1)


def _heat() -> Colormap:
    """Return colours from transparent to bright yellow, so that the image stays visible without saliency."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    colours = colormaps["inferno"](np.linspace(0.25, 1, 256))
    colours[:, 3] = np.linspace(0, 0.75, 256)
    return ListedColormap(colours)


def _top(overlays: Mapping[str, Array], k: int) -> float:
    return float(overlays["maps"][:, k].max()) or 1.0


def _truth(label: float) -> str:
    return "unknown" if math.isnan(label) else "yes" if label else "no"


def png(figure: Figure) -> bytes:
    """Return a figure of matplotlib as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=130, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()
