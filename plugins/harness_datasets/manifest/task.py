"""The task of a manifest, and the checks of its parameters; the table is not opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from harness import InputError, Task
from harness_datasets.shared.breasts import EXAM_VIEWS


def manifest_task(
    *,
    labels: tuple[str, ...],
    image_size: tuple[int, int],
    channels: int,
    mask_kind: Literal["outline", "circle", "box", "layers", "none"],
    mask_values: tuple[int, ...],
    mask_threshold: int | None,
    kind: Literal["multilabel", "multiclass"],
    unit: str,
    bag: str,
    exam: str,
    preprocess: str,
    side: str,
    view: str,
    flipped: str,
    window_px: tuple[int, int] | None,
    inverted: str,
    **_: Any,
) -> Task:
    """Return the task of a manifest from its parameters; the table is not opened.

    Raises:
        InputError: with every parameter that cannot be, and all that contradict each other.
    """
    wrong = [
        *_label_mistakes(labels),
        *_size_mistakes("image_size", image_size),
        *_size_mistakes("window_px", window_px or (1, 1)),
        *_mask_mistakes(labels, mask_kind, mask_values, mask_threshold),
        *_sample_mistakes(bag, exam, mask_kind, side, view),
        *_mammogram_mistakes(preprocess, exam, side, view, flipped, window_px, inverted),
    ]
    if wrong:
        raise InputError("\n".join(f"dataset manifest: {message}" for message in wrong))
    whole = "bag" if bag else "breast" if exam else "image"
    return Task(
        kind=kind,
        classes=tuple(labels),
        unit=whole if unit == "image" else unit,
        channels=channels,
        image_size=(image_size[0], image_size[1]),
        mask_kind=mask_kind,
        sample="bag" if bag else "views" if exam else "image",
        views=EXAM_VIEWS if exam else (),
    )


def _label_mistakes(labels: tuple[str, ...]) -> Iterator[str]:
    if not labels:
        yield "labels: at least one name expected; column label_<name> of the table has its values"
    for name in sorted({name for name in labels if labels.count(name) > 1}):
        yield f"labels: {name!r} is named twice"
    if not all(name.strip() for name in labels):
        yield f"labels: a name is empty in {list(labels)}"


def _size_mistakes(name: str, size: tuple[int, int]) -> Iterator[str]:
    if min(size) < 1:
        yield f"{name}: at least 1 pixel high and wide, not {list(size)}"


def _mask_mistakes(
    labels: tuple[str, ...], mask_kind: str, values: tuple[int, ...], threshold: int | None
) -> Iterator[str]:
    if (values or threshold is not None) and mask_kind in ("none", "layers"):
        yield f"mask_values, mask_threshold: are for outlines, circles and boxes, but {mask_kind=}"
    if values and threshold is not None:
        yield "mask_values, mask_threshold: one of them says what is inside, not both"
    if values and len(values) != len(labels):
        yield f"mask_values: one value for each of {list(labels)} expected, but got {list(values)}"
    if 0 in values:
        yield "mask_values: 0 is outside of every class"


def _sample_mistakes(bag: str, exam: str, mask_kind: str, side: str, view: str) -> Iterator[str]:
    if bag and exam:
        yield "bag, exam: a sample is a bag or a breast of an exam, not both"
    if (bag or exam) and mask_kind != "none":
        yield 'mask_kind: masks belong to single images; with bag or exam it must be "none"'
    if exam and not (side and view):
        yield "exam: `side` and `view` must name their columns too"


def _mammogram_mistakes(
    preprocess: str,
    exam: str,
    side: str,
    view: str,
    flipped: str,
    window_px: tuple[int, int] | None,
    inverted: str,
) -> Iterator[str]:
    """Yield parameters of mammograms that are set although none are prepared."""
    if flipped and not side:
        yield "flipped: says what a side means, so `side` must name its column too"
    if preprocess == "none" and inverted != "refuse":
        yield 'inverted: is for preprocess = "mammogram"'
    if preprocess == "none" and (flipped or window_px or (not exam and (side or view))):
        yield 'side, view, flipped and window_px are for preprocess = "mammogram"'
