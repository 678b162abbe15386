"""Results as HTML for a notebook: the leaderboard, and test images with the maps of one model."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from harness.study.results.results import Results

IMAGES = 2
"""Test images in the overlay."""


def results_html(results: Results) -> str:
    """Return the leaderboard of a study and an overlay of its baseline as HTML."""
    parts = [f"<p><b>{escape(results.plan.question)}</b></p>", f"<p>{escape(repr(results)[1:-1])}</p>"]
    if results.plan.demonstration:
        parts.append("<p>A demonstration, not a result.</p>")
    if len(results.variants):
        parts.append(_leaderboard(results.variants))
    if overlay := _overlay(results):
        parts.append(overlay)
    return "".join(parts)


def _leaderboard(table: pd.DataFrame) -> str:
    shown = table.dropna(axis="columns", how="all")
    text: str = shown.to_html(index=False, border=0, na_rep="–", float_format="{:.3f}".format)
    return text


def _overlay(results: Results) -> str:
    from harness.reporting.figures.pictures import overlay_figure

    found = results.overlays
    name = results.plan.baseline if results.plan.baseline in found else next(iter(found), "")
    if not name:
        return ""
    data = base64.b64encode(overlay_figure(found[name], name, IMAGES)).decode()
    return f'<img alt="Test images and maps of {escape(name)}" src="data:image/png;base64,{data}">'
