"""Built-in metrics; the formulas stand in `harness.evidence.functional`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, Task, hookimpl

if TYPE_CHECKING:
    from harness.nn import Metric

_MASKS = frozenset({"eval_masks"})
_OUTLINES = frozenset({"eval_masks", "outline"})


def build_auroc(task: Task, /) -> Metric:
    """Area under the ROC curve, a class against the rest."""
    from harness.evidence import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.auroc, higher_is_better=True)


def build_auprc(task: Task, /) -> Metric:
    """Average precision, a class against the rest."""
    from harness.evidence import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.auprc, higher_is_better=True)


def build_brier(task: Task, /) -> Metric:
    """Mean squared error of the probabilities."""
    from harness.evidence import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.brier, higher_is_better=False)


def build_dice(task: Task, /) -> Metric:
    """Soft Dice of the model's own evidence.

    Raises:
        ValueError: the masks of the task are no outlines.
    """
    from harness.evidence import functional
    from harness_metrics.metrics import MapMetric

    if task.mask_kind != "outline":
        raise ValueError(f"'dice' compares areas: it needs masks that are outlines, these are {task.mask_kind!r}.")
    return MapMetric(task, functional.dice_per_class)


def build_pixel_ap(task: Task, /) -> Metric:
    """Pixel average precision of the model's own evidence."""
    from harness.evidence import functional
    from harness_metrics.metrics import MapMetric

    return MapMetric(task, functional.pixel_ap_per_class)


def build_pointing(task: Task, /) -> Metric:
    """The pointing game, played by the model's own evidence."""
    from harness.evidence import functional
    from harness_metrics.metrics import MapMetric

    return MapMetric(task, functional.pointing_per_class)


@hookimpl
def harness_metrics() -> Iterable[Component[Metric]]:
    """Three of scores, three of maps."""
    yield Component(name="auroc", build=build_auroc, summary="area under the ROC curve, one against the rest")
    yield Component(name="auprc", build=build_auprc, summary="average precision; chance is the prevalence")
    yield Component(name="brier", build=build_brier, summary="mean squared error of probabilities; lower is better")
    yield Component(
        name="dice",
        build=build_dice,
        summary="soft Dice of the saliency map, over images that have the lesion",
        source="Shen et al. 2020, Medical Image Analysis, 101908",
        needs=_OUTLINES,
        assumed={"formula": "2 sum(A M) / (sum(A) + sum(M)), nearest-neighbour upsampling: not printed in the paper"},
    )
    yield Component(
        name="pixel_ap",
        build=build_pixel_ap,
        summary="average precision over pixels (PxAP), maps min-max scaled per image",
        source="Choe et al. 2020, CVPR; 2022, TPAMI",
        needs=_MASKS,
        assumed={"pooling": "over the images that have the class, at image size rather than 224 px"},
    )
    yield Component(
        name="pointing",
        build=build_pointing,
        summary="share of lesions that the map's peak falls into; tied peaks are averaged",
        source="Zhang et al. 2018, IJCV",
        needs=_MASKS,
    )
