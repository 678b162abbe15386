"""Results as HTML for a notebook: the leaderboard, and test images with the maps of one model."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.contract.types import Plan

if TYPE_CHECKING:
    import pandas as pd

Overlays: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Variant -> arrays of `harness.contract.tables.OVERLAYS`."""
IMAGES = 2
"""Number of test images in the overlay."""


def results_html(plan: Plan, summary: str, variants: pd.DataFrame, overlays: Overlays) -> str:
    """Return the leaderboard of a study and an overlay of its baseline as HTML."""
    parts = [f"<p><b>{escape(plan.question)}</b></p>", f"<p>{escape(summary)}</p>"]
    if plan.demonstration:
        parts.append("<p>A demonstration, not a result.</p>")
    if len(variants):
        parts.append(_leaderboard(variants))
    return "".join(parts) + _overlay(overlays, plan.baseline)


def _leaderboard(table: pd.DataFrame) -> str:
    shown = table.dropna(axis="columns", how="all")
    text: str = shown.to_html(index=False, border=0, na_rep="–", float_format="{:.3f}".format)
    return text


def _overlay(overlays: Overlays, baseline: str) -> str:
    from harness.reporting.figures.pictures import overlay_figure

    name = baseline if baseline in overlays else next(iter(overlays), "")
    if not name:
        return ""
    data = base64.b64encode(overlay_figure(overlays[name], name, IMAGES)).decode()
    return f'<img alt="Test images and maps of {escape(name)}" src="data:image/png;base64,{data}">'
