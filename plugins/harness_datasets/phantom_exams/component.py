"""`phantom_exams`: its parameters, task and declaration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness import Component
from harness_datasets.shared.breasts import exam_task

if TYPE_CHECKING:
    from harness import Dataset


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
    """Build exams of the patients of `phantom_mammograms`: a sample is a breast with both views of both breasts.

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


PHANTOM_EXAMS: Component[Dataset] = Component(
    name="phantom_exams",
    build=build_phantom_exams,
    summary="exams of phantom mammograms: both views of both breasts, of which one may be missing",
    source="images: phantom_mammograms",
    task=exam_task,
    tiny={"images": (16, 8, 8), "image_size": (128, 96), "missing": 0.5},
)
