"""`skin_ultrasound`: layered skin in high-frequency ultrasound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Component, Task

if TYPE_CHECKING:
    from harness import Dataset


def build_skin_ultrasound(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (128, 128),
    difficulty: float = 0.3,
    folds: int = 0,
    fold: int = 0,
    seed: int = 0,
) -> Dataset:
    """Build layered skin in high-frequency ultrasound: four exclusive classes, and a grey-coded layer map.

    From the top: gel, a film, the entry echo, upper dermis, dermis, the fascia's echo with a film, what lies below; as
    grey values of the map 0, 32, 255, 128, 64, 32, 0. Every image holds a dark band and a dark nodule. The class says
    which of them lie right beneath the entry echo ("ad" the band, "st" the nodule, "ps" both, "cg" none); the others
    lie right above the fascia's echo, the mirror image of that. The names are those of a published data set, the
    appearances are invented. Train without "flip_vertical", which changes the class.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has two and one class, classes are even.
        image_size: height and width in pixels, each from 64 to 1024.
        difficulty: in [0, 1]: fainter and smaller pieces among more fibres.
        folds: from 3 on, all patients are dealt out to so many folds, classes even.
        fold: the fold that is the test split, counted from 0; the next one is val.
        seed: of everything; a test image does not depend on the number of training images.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.skin_ultrasound.dataset import SkinUltrasound

    return SkinUltrasound(
        skin_task(image_size=image_size),
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "folds": folds,
            "fold": fold,
            "seed": seed,
        },
    )


def skin_task(*, image_size: tuple[int, int], **_: Any) -> Task:
    """Return the task of `skin_ultrasound` without building it."""
    from harness_datasets.skin_ultrasound.dataset import CLASSES

    height, width = image_size
    return Task(kind="multiclass", classes=CLASSES, image_size=(height, width), mask_kind="layers")


SKIN_ULTRASOUND: Component[Dataset] = Component(
    name="skin_ultrasound",
    build=build_skin_ultrasound,
    summary="layered skin in high-frequency ultrasound, four invented classes, grey-coded layer maps, folds",
    source="layers and grey code after SaliencyCNNAnalysis; speckle: Burckhardt 1978",
    task=skin_task,
    tiny={"images": (16, 8, 8), "image_size": (96, 96)},
)
