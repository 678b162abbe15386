"""A contact sheet of the pairs of images that a check found alike: what a reader has to look at first."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.audit.verdicts import Finding
from harness.trial.data.cache import SPLITS, Cache

MOST_PAIRS = 24
SIDE_PX, GAP_PX, TEXT_PX, COLUMNS = 160, 8, 28, 3


def contact_sheet(cache: Cache, findings: Sequence[Finding]) -> bytes | None:
    """Return a PNG of the first 24 pairs of all findings, each side by side; None without a pair.

    Args:
        cache: of single images.
        findings: those of `harness.audit.datacheck.duplicate_findings` have rows of two places, as "train: id".
    """
    from PIL import Image, ImageDraw

    pairs = list(_pairs(findings))[:MOST_PAIRS]
    if not pairs or cache.dataset.task.sample != "image":
        return None
    rows = {(name, sample.id): n for name in SPLITS for n, sample in enumerate(cache.split(name).samples)}
    wide, high = 2 * SIDE_PX + GAP_PX, SIDE_PX + TEXT_PX + GAP_PX
    lines = -(-len(pairs) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * (wide + 2 * GAP_PX), lines * high), 255)
    for place, (one, other, words) in enumerate(pairs):
        left, top = place % COLUMNS * (wide + 2 * GAP_PX), place // COLUMNS * high
        for side, (split, name) in enumerate((one, other)):
            picture = Image.fromarray(_grey(cache.split(split).images[[rows[split, name]]][0]))
            picture.thumbnail((SIDE_PX, SIDE_PX))
            sheet.paste(picture, (left + side * (SIDE_PX + GAP_PX), top))
        ImageDraw.Draw(sheet).text((left, top + SIDE_PX), words, fill=0)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _pairs(findings: Sequence[Finding]) -> Iterator[tuple[Any, Any, str]]:
    """Yield split and id of both images of each pair, and the words below them."""
    for finding in findings:
        for row in finding.rows:
            places = [tuple(text.split(": ", 1)) for text in row[:2]]
            if len(places) == 2 and all(len(place) == 2 and place[0] in SPLITS for place in places):
                agreement = row[2] if len(row) > 2 else "exact"
                yield places[0], places[1], f"{row[0][-24:]}  {row[1][-24:]}\n{finding.verdict}, {agreement}"


def _grey(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    values = image.mean(2) if image.ndim == 3 else image.astype(float)
    return (255 * values / np.iinfo(image.dtype).max).astype(np.uint8)
