"""The data set `stripes`: its parameters, task and declaration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness import Component, Dataset, Task, hookimpl


def stripes_task(*, size: int, **_: object) -> Task:
    """Return classes, unit and size, which are known before the data set is built.

    Raises:
        ValueError: a parameter is out of range.
    """
    if size < 24:
        raise ValueError(f"`size >= 24` must hold, but got {size=}.")
    return Task(classes=("bright",), unit="image", image_size=(size, size), mask_kind="outline")


def build_stripes(root: Path, /, *, size: int = 24, images: int = 40) -> Dataset:
    """Build noise images, of which every second has a bright stripe.

    Args:
        root: the user's data root; masks are written below it.
        size: height and width in pixels, at least 24.
        images: number of images in each split, at least 2.
    """
    from acme_example.dataset.images import Stripes

    return Stripes(stripes_task(size=size), root, images)


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """Yield the data sets of this package."""
    yield Component(
        name="stripes",
        build=build_stripes,
        task=stripes_task,
        summary="noise, half of the images with a bright stripe",
        provides=frozenset({"eval_masks"}),
    )
