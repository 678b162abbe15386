"""`histology_phantom`: stained tissue with or without a nest of atypical nuclei."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Component, Task

if TYPE_CHECKING:
    from harness import Dataset


def build_histology_phantom(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (112, 112),
    difficulty: float = 0.2,
    prevalence: float = 0.45,
    tiles: int = 2,
    nucleus_px: float = 2.5,
    seed: int = 0,
) -> Dataset:
    """Build tiles in the colours of haematoxylin and eosin: is there a nest of atypical nuclei?

    Every tile has a nest of crowded nuclei, which are atypical where the label is 1 and regular where it is 0, and
    scattered ones of both kinds in any proportion. Atypical nuclei differ in being bluer only. Grey values do not
    depend on the label, and neither colour alone nor crowding alone identifies it. Nothing is simulated physically.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test, rounded down to whole patients.
        image_size: height and width in pixels, 64 or more; nuclei keep their size, so that larger tiles have more.
        difficulty: in [0, 1]: a smaller nest, less difference of colour, further nests of regular nuclei. From about .5
            on the small networks of the quick budgets learn nothing.
        prevalence: share of tiles with a finding, in (0, 1), kept exactly in every split.
        tiles: of each patient, who has one staining.
        nucleus_px: mean radius of a nucleus in pixels.
        seed: of everything.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.histology_phantom.dataset import HistologyPhantom

    return HistologyPhantom(
        histology_task(image_size=image_size),
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "prevalence": float(prevalence),
            "tiles": tiles,
            "nucleus_px": float(nucleus_px),
            "seed": seed,
        },
    )


def histology_task(*, image_size: tuple[int, int], **_: Any) -> Task:
    """Return the task of `histology_phantom` without building it."""
    height, width = image_size
    return Task(classes=("tumour",), channels=3, image_size=(height, width), mask_kind="outline")


HISTOLOGY_PHANTOM: Component[Dataset] = Component(
    name="histology_phantom",
    build=build_histology_phantom,
    summary="stained tissue tiles with or without a nest of atypical nuclei, exact outlines",
    source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
    task=histology_task,
    tiny={"images": (16, 8, 8), "image_size": (96, 96)},
)
