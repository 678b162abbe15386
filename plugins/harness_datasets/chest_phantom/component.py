"""`chest_phantom`: chest films with four findings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Component, Task

if TYPE_CHECKING:
    from harness import Dataset


def build_chest_phantom(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (128, 128),
    difficulty: float = 0.3,
    seed: int = 0,
) -> Dataset:
    """Build synthetic chest films: four independent findings with exact outlines; many films have none.

    Named by what they imitate: nodule (a small smooth oval, high in a lung), mass (large, spiculated), effusion (flat,
    at a lung's base), infiltration (blobs close together, in the middle). Prevalences are 25, 20, 30 and 30 %, kept
    exactly in every split; the labels are independent. A film without a finding has the same ink elsewhere or of the
    other sign, so that histogram and spectrum are independent of its labels. Train without vertical flips.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has one or two.
        image_size: height and width in pixels, each from 96 to 512.
        difficulty: in [0, 1]: smaller and fainter findings among more vessels.
        seed: of everything; a test image does not depend on the number of training images.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.chest_phantom.dataset import ChestPhantom

    params = {"images": list(images), "image_size": list(image_size), "difficulty": float(difficulty), "seed": seed}
    return ChestPhantom(chest_task(image_size=image_size), params)


def chest_task(*, image_size: tuple[int, int], **_: Any) -> Task:
    """Return the task of `chest_phantom` without building it."""
    from harness_datasets.chest_phantom.findings import CLASSES

    height, width = image_size
    return Task(classes=CLASSES, image_size=(height, width), mask_kind="outline")


CHEST_PHANTOM: Component[Dataset] = Component(
    name="chest_phantom",
    build=build_chest_phantom,
    summary="phantom chest films: nodule, mass, effusion, infiltration, with exact outlines",
    source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
    task=chest_task,
    tiny={"images": (16, 8, 8), "image_size": (96, 96)},
)
