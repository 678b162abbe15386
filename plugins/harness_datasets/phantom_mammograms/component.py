"""`phantom_mammograms`: its parameters, task and declaration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import Component
from harness_datasets.shared.breasts import breast_task

if TYPE_CHECKING:
    from harness import Dataset


def build_phantom_mammograms(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (192, 128),
    difficulty: float = 0.3,
    prevalence: float = 0.35,
    seed: int = 0,
    marker: Literal["", "benign", "malignant"] = "",
) -> Dataset:
    """Build synthetic mammograms: CC and MLO of both breasts, smooth and spiculated lesions, exact outlines.

    A benign lesion is a bright smooth oval, a malignant one a bright star. Every breast also holds
    dark ovals and stars, bright and dark fibres and scattered strands, so arranged that histogram and
    spectrum of an image are independent of its labels. The two classes can be distinguished from
    128 x 96 px on (a star's spicules are then as thin as they get, 2 px at their roots); at that size they are
    learned from image labels alone more slowly than at 192 x 128. Textures of the two views are
    independent, and nothing is simulated physically.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels, 64 x 48 or more; lesions can be distinguished from 128 x 96 on; checked
            up to 2944 x 1920.
        difficulty: in [0, 1]: smaller and fainter lesions among more distractors.
        prevalence: share of breasts with each finding, in (0, 1), kept exactly in every split.
        seed: of everything; a test image does not depend on the number of training images.
        marker: a class whose images get a bright square burned in: a shortcut for audits to find.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.phantom_mammograms.dataset import PhantomMammograms

    return PhantomMammograms(
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "prevalence": float(prevalence),
            "seed": seed,
            "marker": marker,
        }
    )


PHANTOM_MAMMOGRAMS: Component[Dataset] = Component(
    name="phantom_mammograms",
    build=build_phantom_mammograms,
    summary="phantom mammograms with smooth and spiculated lesions and exact outlines",
    source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
    task=breast_task,
    tiny={"images": (16, 8, 8), "image_size": (128, 96)},
)
