"""Data sets that come with the harness. Light: whatever a data set needs is imported when it is built."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import Component, Task, hookimpl

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
    """Phantom mammograms: CC and MLO of both breasts, smooth and spiculated lesions, exact outlines."""
    from harness_datasets.phantom import PhantomMammograms

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


def build_needle_digits(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (128, 96),
    objects: int = 5,
    glyph_px: int = 24,
    contrast: float = 0.4,
    digits: Literal["sklearn", "mnist"] = "sklearn",
    prevalence: float = 0.35,
    seed: int = 0,
    marker: Literal["", "benign", "malignant"] = "",
) -> Dataset:
    """Handwritten digits on a textured canvas: 3 is malignant, 5 is benign, the others distract."""
    from harness_datasets.needle import NeedleDigits

    return NeedleDigits(
        root,
        {
            "images": list(images),
            "image_size": list(image_size),
            "objects": objects,
            "glyph_px": glyph_px,
            "contrast": float(contrast),
            "digits": digits,
            "prevalence": float(prevalence),
            "seed": seed,
            "marker": marker,
        },
    )


def breast_task(*, image_size: tuple[int, int] = (192, 128), **_: Any) -> Task:
    """What both generators set as the task, known without building them."""
    height, width = image_size
    return Task(classes=("benign", "malignant"), unit="breast", image_size=(height, width), mask_kind="outline")


def canvas_task(*, image_size: tuple[int, int] = (128, 96), **_: Any) -> Task:
    """The same, with the default size of needle_digits."""
    return breast_task(image_size=image_size)


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """The built-in data sets."""
    yield Component(
        name="phantom_mammograms",
        build=build_phantom_mammograms,
        summary="phantom mammograms with smooth and spiculated lesions and exact outlines",
        source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
        task=breast_task,
        provides=frozenset({"train_masks", "eval_masks", "views"}),
        tiny={"images": (16, 8, 8), "image_size": (128, 96)},
    )
    yield Component(
        name="needle_digits",
        build=build_needle_digits,
        summary="handwritten digits on a textured canvas: find the 3 (malignant) and the 5 (benign)",
        source="after Pawlowski et al. 2019, Needles in Haystacks; handwriting: UCI digits by scikit-learn, or MNIST",
        task=canvas_task,
        provides=frozenset({"train_masks", "eval_masks", "views"}),
        tiny={"images": (16, 8, 8), "image_size": (96, 72)},
    )
