"""Findings of a breast, drawn: `phantom_mammograms`, `needle_digits`, and `phantom_exams` of several views."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import Component, Task

if TYPE_CHECKING:
    from harness import Dataset

CLASSES = ("benign", "malignant")
EXAM_VIEWS = ("CC", "MLO", "other CC", "other MLO")
"""What a sample is read as where it is a breast in its exam: its own views, then those of the other one."""


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
    """Phantom mammograms: CC and MLO of both breasts, smooth and spiculated lesions, exact outlines.

    A benign lesion is a bright smooth oval, a malignant one a bright star. Every breast also holds
    dark ovals and stars, bright and dark fibres and scattered strands, so arranged that histogram and
    spectrum of an image say nothing of its labels. The two classes can be told apart from
    128 x 96 px on (a star's spicules are then as thin as they get, 2 px at their roots); at that size they are
    learned from image labels alone more slowly than at 192 x 128. Textures of the two views are
    independent, and nothing is simulated physically.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels, 64 x 48 or more; lesions can be told apart from 128 x 96 on, and it was
            looked at up to 2944 x 1920.
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


def build_needle_digits(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (3200, 120, 240),
    image_size: tuple[int, int] = (96, 72),
    objects: int = 3,
    glyph_px: int = 28,
    contrast: float = 0.5,
    digits: Literal["sklearn", "mnist"] = "sklearn",
    prevalence: float = 0.35,
    seed: int = 0,
    marker: Literal["", "benign", "malignant"] = "",
) -> Dataset:
    """Handwritten digits on a textured canvas: 3 is malignant, 5 is benign, the others distract.

    A canvas without a target has a digit in its place that matches it in ink, rim and spectrum. No glyph
    is in two splits. Both views of a breast show the same glyphs in different places. Train without flips:
    a mirrored digit is another digit, and with them nothing is learned in 15 epochs. From 20 px a
    glyph the digits can be told apart; how many images it takes to learn them grows steeply with the
    number of objects and falls with the share of the canvas that a glyph covers, and so does what
    the spectrum alone tells: two digits of 32 px are a shortcut (AUC .66), three of 28 px are none.

    Args:
        root: the data root, read for `digits = "mnist"` only.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels.
        objects: digits on a canvas, give or take a quarter.
        glyph_px: side of a digit in pixels.
        contrast: brightness of full ink before jitter, over the image's range.
        digits: "sklearn" (1,797 digits of 8 x 8, in the wheel) or "mnist" (digits/digits_t10k.npz below the root).
        prevalence: share of breasts with each finding, in (0, 1), kept exactly in every split.
        seed: of everything but the split of the handwriting.
        marker: a class whose images get a bright square burned in: a shortcut for audits to find.

    Raises:
        InputError: a parameter is out of range, or so many digits do not fit.
    """
    from harness_datasets.needle_digits.dataset import NeedleDigits

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
    return Task(classes=CLASSES, unit="breast", image_size=(height, width), mask_kind="outline")


def canvas_task(*, image_size: tuple[int, int] = (96, 72), **_: Any) -> Task:
    """The same, with the default size of needle_digits."""
    return breast_task(image_size=image_size)


def build_phantom_exams(
    root: Path,
    /,
    *,
    images: tuple[int, int, int] = (400, 120, 240),
    image_size: tuple[int, int] = (192, 128),
    difficulty: float = 0.3,
    prevalence: float = 0.35,
    missing: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """Exams of the patients of `phantom_mammograms`: a sample is a breast with both views of both breasts.

    The views are CC, MLO, other CC, other MLO, all facing the same way. Breasts, images and labels are those
    that `phantom_mammograms` has for the same parameters, and a sample here bears the name of a unit there:
    what is predicted of breasts can be compared. There are no masks, since a sample is no single image.

    Args:
        root: not used; nothing is read.
        images: numbers for train, val and test; a patient has four, numbers are rounded to whole patients.
        image_size: height and width in pixels, from 128 x 96 to 2944 x 1920.
        difficulty: in [0, 1]: smaller and fainter lesions among more distractors.
        prevalence: share of breasts with each finding, in (0, 1), kept exactly in every split.
        missing: probability that a breast lacks one of its two views, either of them.
        seed: of everything; a test exam does not depend on the number of training exams.

    Raises:
        InputError: a parameter is out of range.
    """
    from harness_datasets.phantom_exams.dataset import PhantomExams

    return PhantomExams(
        {
            "images": list(images),
            "image_size": list(image_size),
            "difficulty": float(difficulty),
            "prevalence": float(prevalence),
            "seed": seed,
            "marker": "",
        },
        float(missing),
    )


def exam_task(*, image_size: tuple[int, int] = (192, 128), **_: Any) -> Task:
    """What phantom_exams sets as its task, known without building it."""
    task = breast_task(image_size=image_size)
    return replace(task, mask_kind="none", sample="views", views=EXAM_VIEWS)


PHANTOM_MAMMOGRAMS: Component[Dataset] = Component(
    name="phantom_mammograms",
    build=build_phantom_mammograms,
    summary="phantom mammograms with smooth and spiculated lesions and exact outlines",
    source="texture: Burgess, Jacobson and Judy 2001, Medical Physics 28, 419",
    task=breast_task,
    tiny={"images": (16, 8, 8), "image_size": (128, 96)},
)
NEEDLE_DIGITS: Component[Dataset] = Component(
    name="needle_digits",
    build=build_needle_digits,
    summary="handwritten digits on a textured canvas: find the 3 (malignant) and the 5 (benign)",
    source="after Pawlowski et al. 2019, Needles in Haystacks; handwriting: UCI digits by scikit-learn, or MNIST",
    task=canvas_task,
    tiny={"images": (16, 8, 8), "image_size": (96, 72)},
)
PHANTOM_EXAMS: Component[Dataset] = Component(
    name="phantom_exams",
    build=build_phantom_exams,
    summary="exams of phantom mammograms: both views of both breasts, of which one may be missing",
    source="images: phantom_mammograms",
    task=exam_task,
    tiny={"images": (16, 8, 8), "image_size": (128, 96), "missing": 0.5},
)
