"""Verdicts on outlines, before anything is trained on them or measured against them.

Only train and val are read. Layer maps have no outlines of lesions, and get none of these verdicts. Free of torch.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.audit.shortcuts import AUDITED
from harness.audit.verdicts import MOST_ROWS, Finding, Verdict
from harness.contract.types import Split
from harness.metrics.maps.reduction import reduced_mask
from harness.trial.data.cache import Cache

NEARLY_ALL = 0.9
"""Share of the image from which an outline is no lesion's."""
BORDER = 0.9
"""Share of the image's border from which an outline of more than half the image is that of the background."""
FEWEST = 5
"""Outlines of one class from which it is suspicious that all are equal."""

STRIDES = (4, 8, 16, 32, 64)
"""Pixels a cell for which the size of lesions is stated."""


@dataclass(frozen=True)
class _Outline:
    """Facts of the outline of one image and class.

    Args:
        place: "train: id".
        label: 1, 0 or NaN.
        share: of the image that it covers.
        border: share of the image's border that it covers.
        digest: of its pixels, "" if it is empty.
        kept: number of its lesions that kept one cell only because they would have vanished.
        touched: cells of which it covers any part, by STRIDES.
    """

    place: str
    label: float
    share: float
    border: float
    digest: str
    kept: int = 0
    touched: tuple[int, ...] = ()


def outline_findings(cache: Cache) -> Iterator[Finding]:
    """Yield a finding for each class and each way in which its outlines cannot be what they should be.

    Args:
        cache: of a data set with outlines, circles or boxes.
    """
    found = [facts for name in AUDITED for facts in _facts(cache, name)]
    for number, title in enumerate(cache.dataset.task.classes):
        own = [facts[number] for facts in found]
        drawn = [outline for outline in own if outline.digest]
        yield from _sizes(title, drawn)
        yield from _in_cells(title, drawn, cache.dataset.task.image_size)
        yield from _equal(title, drawn)
        yield from _against_labels(title, own)
        if kept := sum(outline.kept for outline in drawn):
            rows = tuple((outline.place,) for outline in drawn if outline.kept)[:MOST_ROWS]
            height, width = cache.dataset.task.image_size
            message = (
                f"{_many(kept, 'lesion')} of {title!r} would vanish at {height} x {width} px, where half of a cell is "
                "needed: each keeps the cell of which it covers most"
            )
            yield Finding(level="info", number=kept, message=message, rows=rows)


def _facts(cache: Cache, name: Split) -> Iterator[list[_Outline]]:
    """Yield the facts of every class of one image after the other."""
    split, masks, originals = cache.split(name), cache.masks(name), cache.originals(name)
    assert masks is not None, "the caller asks only where the task has outlines"
    for row, (sample, label) in enumerate(zip(split.samples, split.labels, strict=True)):
        original = None if originals is None else originals.of(row)
        yield [
            _outline(f"{name}: {sample.id}", float(label[k]), mask > 0, None if original is None else original[k])
            for k, mask in enumerate(masks[row])
        ]


def _outline(place: str, label: float, mask: npt.NDArray[np.bool_], original: npt.NDArray[np.bool_] | None) -> _Outline:
    if not mask.any():
        return _Outline(place, label, 0.0, 0.0, "")
    edges = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    digest = hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
    kept = 0 if original is None else reduced_mask(original, (mask.shape[0], mask.shape[1]))[1]
    touched = tuple(int(_touched(mask, stride)) for stride in STRIDES)
    return _Outline(place, label, float(mask.mean()), float(edges.mean()), digest, kept, touched)


def _touched(mask: npt.NDArray[np.bool_], stride: int) -> int:
    """Return how many squares of so many pixels hold any of a mask."""
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], stride), axis=0)
    return int(np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], stride), axis=1).sum())


def _in_cells(title: str, drawn: Sequence[_Outline], size: tuple[int, int]) -> Iterator[Finding]:
    """Yield the median size of outlines in cells of each stride that leaves a map of 2 x 2 or more."""
    if not drawn:
        return
    share, rows = float(np.median([each.share for each in drawn])), []
    for number, stride in enumerate(STRIDES):
        height, width = (-(-length // stride) for length in size)
        if min(height, width) < 2:
            break
        touched = float(np.median([each.touched[number] for each in drawn]))
        by_area = _short(share * size[0] * size[1] / stride**2)
        text = f"stride {stride}: {by_area} by area, {_short(touched)} touched of {height * width}"
        rows.append((text, f"t = {_percent(touched / (height * width))}"))
    message = (
        f"outlines of {title!r} cover {_percent(share)} of the image (median of {len(drawn)}); top-t pooling averages "
        "healthy cells if t exceeds the share of touched cells; cells at "
        + "; at ".join(f"{text}, {most}" for text, most in rows)
    )
    yield Finding(level="info", number=len(drawn), message=message, rows=tuple(rows))


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _sizes(title: str, drawn: Sequence[_Outline]) -> Iterator[Finding]:
    """Yield a finding for outlines of the background, and one for those of nearly the whole image."""
    inverted = [each for each in drawn if 0.5 < each.share < 1 and each.border >= BORDER]
    whole = [each for each in drawn if each.share >= NEARLY_ALL and each not in inverted]
    for chosen, what in (
        (inverted, "cover the border and more than half of the image: they outline the background (inverted masks)"),
        (whole, f"cover {100 * NEARLY_ALL:.0f} % of the image or more: they outline no lesion"),
    ):
        if chosen:
            verdict: Verdict = "unfit" if 2 * len(chosen) >= len(drawn) else "unsure"
            yield _finding(verdict, f"{len(chosen)} of {len(drawn)} outlines of {title!r} {what}", chosen)


def _equal(title: str, drawn: Sequence[_Outline]) -> Iterator[Finding]:
    """Yield a finding if most outlines are equal, pixel by pixel."""
    counts = Counter(each.digest for each in drawn).most_common(1)
    if counts and counts[0][1] >= FEWEST and 2 * counts[0][1] >= len(drawn):
        digest, count = counts[0]
        message = f"{count} of {len(drawn)} outlines of {title!r} are the same in every pixel"
        yield _finding("unfit" if count == len(drawn) else "unsure", message, [x for x in drawn if x.digest == digest])


def _against_labels(title: str, own: Sequence[_Outline]) -> Iterator[Finding]:
    """Yield a finding for outlines of images without the class, and one for images with it and no outline."""
    wrong = [each for each in own if each.label == 0 and each.digest]
    if wrong:
        message = f"{_many(len(wrong), 'image')} without {title!r} by the label, but with an outline of it"
        yield _finding("contradiction", message, wrong)
    positive = [each for each in own if each.label == 1]
    missing = [each for each in positive if not each.digest]
    if missing:
        message = f"{len(missing)} of {len(positive)} images with {title!r} have no outline: they count in no overlap"
        yield _finding("unfit" if len(missing) == len(positive) else "unsure", message, missing)


def _finding(verdict: Verdict, message: str, chosen: Sequence[_Outline]) -> Finding:
    rows = tuple((each.place,) for each in chosen[:MOST_ROWS])
    level: Literal["warning", "error"] = "warning" if verdict == "unsure" else "error"
    return Finding(level=level, verdict=verdict, number=len(chosen), message=message, rows=rows)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
