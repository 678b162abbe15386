"""Built-in metrics; the formulas stand in `harness.metrics.functional`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness import Component, Task, hookimpl

if TYPE_CHECKING:
    from harness.nn import Metric

_REGIONS = frozenset({"eval_masks", "region"})
_LAYERS = frozenset({"eval_masks", "layers"})
_OUTLINES = frozenset({"eval_masks", "outline"})
_EXCLUSIVE = frozenset({"multiclass"})
_ATTENTION = frozenset({"attention"})


def build_auroc(task: Task, /) -> Metric:
    """Area under the ROC curve, a class against the rest."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.auroc, higher_is_better=True)


def build_auprc(task: Task, /) -> Metric:
    """Average precision, a class against the rest."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.auprc, higher_is_better=True)


def build_brier(task: Task, /) -> Metric:
    """Mean squared error of the probabilities."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.brier, higher_is_better=False)


def build_accuracy(task: Task, /) -> Metric:
    """Share of right decisions at threshold .5."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.accuracy, higher_is_better=True)


def build_balanced_accuracy(task: Task, /) -> Metric:
    """Mean of sensitivity and specificity at threshold .5."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.balanced_accuracy, higher_is_better=True)


def build_precision(task: Task, /) -> Metric:
    """Share of positives among those called positive at threshold .5."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.precision, higher_is_better=True)


def build_recall(task: Task, /) -> Metric:
    """Sensitivity at threshold .5."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.recall, higher_is_better=True)


def build_f1(task: Task, /) -> Metric:
    """Harmonic mean of precision and recall at threshold .5."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.f1, higher_is_better=True)


def build_ece(task: Task, /) -> Metric:
    """Expected calibration error in 15 bins."""
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    return ScoreMetric(task, functional.ece, higher_is_better=False)


def build_top1(task: Task, /) -> Metric:
    """Share of images whose highest score is that of their class.

    Raises:
        ValueError: the task is not multi-class.
    """
    return _exclusive_metric(task, "top1")


def build_precision_top1(task: Task, /) -> Metric:
    """Precision of calling the class of the highest score, and its mean over classes; errors as in `build_top1`."""
    return _exclusive_metric(task, "precision_top1")


def build_recall_top1(task: Task, /) -> Metric:
    """Recall of calling the class of the highest score, and its mean over classes; errors as in `build_top1`."""
    return _exclusive_metric(task, "recall_top1")


def build_f1_top1(task: Task, /) -> Metric:
    """F1 of calling the class of the highest score, and its mean over classes; errors as in `build_top1`."""
    return _exclusive_metric(task, "f1_top1")


def _exclusive_metric(task: Task, figure: str) -> Metric:
    from harness.metrics import functional
    from harness_metrics.metrics import ScoreMetric

    if task.kind != "multiclass":
        raise ValueError(f"{figure!r} needs a task of kind 'multiclass', this one is {task.kind!r}.")
    return ScoreMetric(task, getattr(functional, figure), higher_is_better=True)


def build_dice(task: Task, /) -> Metric:
    """Soft Dice of the model's own saliency map.

    Raises:
        ValueError: the masks of the task are no outlines.
    """
    from harness.metrics import functional
    from harness_metrics.metrics import MapMetric

    if task.mask_kind != "outline":
        raise ValueError(f"'dice' compares areas: it needs masks that are outlines, these are {task.mask_kind!r}.")
    return MapMetric(task, functional.dice_per_class)


def build_pixel_ap(task: Task, /) -> Metric:
    """Pixel average precision of the model's own saliency map."""
    from harness.metrics import functional
    from harness_metrics.metrics import MapMetric

    return MapMetric(task, functional.pixel_ap_per_class)


def build_pointing(task: Task, /) -> Metric:
    """The pointing game, played by the model's own saliency map."""
    from harness.metrics import functional
    from harness_metrics.metrics import MapMetric

    return MapMetric(task, functional.pointing_per_class)


def build_hit_rate_1(task: Task, /) -> Metric:
    """Hit Rate 1: what the layer under the map's peak is worth, -1 to 3."""
    return _layer_metric(task, "hit_rate_1", higher_is_better=True)


def build_hit_rate_2(task: Task, /) -> Metric:
    """Hit Rate 2: 1 in the key layer, 0 in the others, -1 in the background."""
    return _layer_metric(task, "hit_rate_2", higher_is_better=True)


def build_s_plus(task: Task, /) -> Metric:
    """S+: mean of the map over its maximum in the key layer."""
    return _layer_metric(task, "s_plus", higher_is_better=True)


def build_s_minus(task: Task, /) -> Metric:
    """S-: the same in the background."""
    return _layer_metric(task, "s_minus", higher_is_better=False)


def build_attention_gap(task: Task, /) -> Metric:
    """Mean attention of patches that touch the lesion, minus that of the others."""
    from harness_metrics.attention import AttentionGap

    return AttentionGap(task)


def build_attention_count(task: Task, /) -> Metric:
    """How many patches share the attention; the gap means nothing without it."""
    return _attention_figure("count", higher_is_better=True)


def build_attention_entropy(task: Task, /) -> Metric:
    """How flat the attention is: its entropy over that of equal weights."""
    return _attention_figure("entropy", higher_is_better=False)


def build_attention_peak(task: Task, /) -> Metric:
    """How flat the attention is: its highest weight over the mean one."""
    return _attention_figure("peak", higher_is_better=True)


def _attention_figure(name: str, *, higher_is_better: bool) -> Metric:
    from harness_metrics.attention import AttentionFigure

    return AttentionFigure(name, higher_is_better=higher_is_better)


def _layer_metric(task: Task, figure: str, *, higher_is_better: bool) -> Metric:
    from harness.metrics import functional
    from harness_metrics.metrics import LayerMetric

    if task.mask_kind != "layers":
        raise ValueError(f"{figure!r} needs masks that are grey-coded layers, these are {task.mask_kind!r}.")
    return LayerMetric(task, functional.LAYER_FIGURES[figure], higher_is_better=higher_is_better)


@hookimpl
def harness_metrics() -> Iterable[Component[Metric]]:
    """Of scores, of maps beside masks, of maps beside layers, and of attention over patches."""
    yield from _of_scores()
    yield from _of_regions()
    yield from _of_layers()
    yield from _of_attention()


def _of_scores() -> Iterable[Component[Metric]]:
    yield Component(name="auroc", build=build_auroc, summary="area under the ROC curve, one against the rest")
    yield Component(name="auprc", build=build_auprc, summary="average precision; chance is the prevalence")
    yield Component(
        name="brier",
        build=build_brier,
        summary="mean squared error of probabilities; lower is better",
        higher_is_better=False,
    )
    yield Component(name="accuracy", build=build_accuracy, summary="share of right decisions at threshold .5")
    yield Component(
        name="balanced_accuracy", build=build_balanced_accuracy, summary="mean of sensitivity and specificity at .5"
    )
    yield Component(name="precision", build=build_precision, summary="positives among those called positive at .5")
    yield Component(name="recall", build=build_recall, summary="positives called positive at .5: sensitivity")
    yield Component(name="f1", build=build_f1, summary="harmonic mean of precision and recall at .5")
    yield Component(
        name="ece",
        build=build_ece,
        summary="expected calibration error, 15 bins of equal width; lower is better",
        source="Guo et al. 2017, ICML; Naeini et al. 2015, AAAI",
        higher_is_better=False,
    )
    yield Component(
        name="top1",
        build=build_top1,
        summary="share of images whose highest score is that of their class; multi-class tasks",
        needs=_EXCLUSIVE,
    )
    builders = (build_precision_top1, build_recall_top1, build_f1_top1)
    for build, figure in zip(builders, ("precision", "recall", "F1"), strict=True):
        yield Component(
            name=build.__name__.removeprefix("build_"),
            build=build,
            summary=f"{figure} of calling the class of the highest score, mean over classes; multi-class tasks",
            needs=_EXCLUSIVE,
        )


def _of_regions() -> Iterable[Component[Metric]]:
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
        needs=_REGIONS,
        assumed={"pooling": "over the images that have the class, at image size rather than 224 px"},
    )
    yield Component(
        name="pointing",
        build=build_pointing,
        summary="share of lesions that the map's peak falls into; tied peaks are averaged",
        source="Zhang et al. 2018, IJCV",
        needs=_REGIONS,
    )


def _of_layers() -> Iterable[Component[Metric]]:
    builders = (build_hit_rate_1, build_hit_rate_2, build_s_plus, build_s_minus)
    summaries = (
        "worth of the skin layer under the map's peak, -1 to 3",
        "1 for a peak in the key layer, 0 in another, -1 in the background",
        "mean of the map over its maximum in the key layer",
        "mean of the map over its maximum in the background; lower is better",
    )
    for build, summary in zip(builders, summaries, strict=True):
        yield Component(
            name=build.__name__.removeprefix("build_"),
            build=build,
            summary=summary,
            source="SaliencyCNNAnalysis, skin-layer maps in grey code",
            needs=_LAYERS,
            assumed={
                "peak": "all pixels whose 8-bit value, 255 map / max rounded, is 255",
                "negatives": "only images of the class count",
            },
            higher_is_better=build is not build_s_minus,
        )


def _of_attention() -> Iterable[Component[Metric]]:
    yield Component(
        name="attention_gap",
        build=build_attention_gap,
        summary="mean attention of patches that touch the lesion minus that of the others; compare at equal n",
        source="Liu et al. 2024, Geomatics and Information Science of Wuhan University, 1070-1078",
        needs=_REGIONS | _ATTENTION,
        assumed={
            "positive patch": "one that the mask touches",
            "images": "those that have the class, averaged; of the patches under attention alone",
        },
    )
    builders = (build_attention_count, build_attention_entropy, build_attention_peak)
    summaries = (
        "n, the patches that share the attention",
        "entropy of the attention over that of equal weights; 1 is flat, lower is sharper",
        "highest attention over the mean; 1 is flat",
    )
    neither = {"perfect_is_best_and_inverted_is_worst": "a number of patches is neither good nor bad"}
    for build, summary in zip(builders, summaries, strict=True):
        yield Component(
            name=build.__name__.removeprefix("build_"),
            build=build,
            summary=summary,
            needs=_ATTENTION,
            xfail=neither if build is build_attention_count else {},
            higher_is_better=build is not build_attention_entropy,
        )
