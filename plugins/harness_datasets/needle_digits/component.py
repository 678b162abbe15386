"""`needle_digits`: its parameters, task and declaration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness import Component
from harness_datasets.shared.breasts import breast_task

if TYPE_CHECKING:
    from harness import Dataset


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
    """Build handwritten digits on a textured canvas: 3 is malignant, 5 is benign, the others distract.

    A canvas without a target has a digit in its place that matches it in ink, rim and spectrum. No glyph
    is in two splits. Both views of a breast show the same glyphs in different places. Train without flips:
    a mirrored digit is another digit, and with them nothing is learned in 15 epochs. From 20 px a
    glyph the digits can be distinguished; how many images it takes to learn them grows steeply with the
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


NEEDLE_DIGITS: Component[Dataset] = Component(
    name="needle_digits",
    build=build_needle_digits,
    summary="handwritten digits on a textured canvas: find the 3 (malignant) and the 5 (benign)",
    source="after Pawlowski et al. 2019, Needles in Haystacks; handwriting: UCI digits by scikit-learn, or MNIST",
    task=breast_task,
    tiny={"images": (16, 8, 8), "image_size": (96, 72)},
)
