"""One component of every kind, as a stranger would write them: a module, an entry point, nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import BackboneFactory, Component, Dataset, MetricRecord, Schedule, Task, hookimpl, use

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from harness.metrics.functional import Array, Scores
    from harness.nn import Backbone, Explainer, Model, Pooling


def _task(size: int = 24) -> Task:
    return Task(classes=("bright",), unit="image", image_size=(size, size), mask_kind="outline")


def build_stripes(root: Path, /, *, size: int = 24) -> Dataset:
    """Noise images, the positives with a bright stripe, whose masks stand in files."""
    from third_party_plugin.data import Stripes

    return Stripes(_task(size), root)


def build_two_convs(channels: int, /, *, features: int = 8) -> Backbone:
    """Two convolutions, stride 4."""
    from third_party_plugin.network import TwoConvs

    return TwoConvs(channels, features)


def build_median(features: int, outputs: int, /) -> Pooling:
    """The median of the instances."""
    from third_party_plugin.network import Median

    return Median()


def build_map_mean(task: Task, /, *, backbone: BackboneFactory = use("two_convs")) -> Model:
    """A class map and its mean."""
    from third_party_plugin.network import MapMean

    return MapMean(backbone(task.channels), len(task.classes))


def build_spy(task: Task, /, *, path: str, backbone: BackboneFactory = use("two_convs")) -> Model:
    """The same, with an eye on a mask file: what a fence is for."""
    from third_party_plugin.network import Spy

    return Spy(backbone(task.channels), len(task.classes), path)


def build_brightness() -> Explainer:
    """Bright pixels explain everything."""
    from third_party_plugin.network import Brightness

    return Brightness()


def hits(terms: Scores, weights: Array | None, /, *, threshold: float = 0.5) -> Array | float:
    """Share of right answers at a threshold."""
    from harness.metrics.functional import decide, weighted_decisions

    called = terms.scores >= threshold
    if weights is None:
        return decide(terms.labels, called).accuracy
    return weighted_decisions(terms.labels, called)(weights)[:, 0]


def build_sign_sgd(
    groups: list[dict[str, Any]], lr: float, weight_decay: float, /, *, momentum: float = 0.9
) -> Optimizer:
    """Step by the sign of an averaged gradient."""
    from third_party_plugin.network import SignSgd

    return SignSgd(groups, lr, weight_decay, momentum)


def build_staircase(steps: int, epochs: int, /, *, stairs: int = 4) -> Schedule:
    """Go down in stairs of equal height and length."""
    return lambda step: 1 - (step * stairs // steps) / stairs


@hookimpl
def harness_datasets() -> Iterable[Component[Dataset]]:
    """The data set of the tests."""
    yield Component(
        name="stripes", build=build_stripes, summary="noise and stripes", task=_task, provides=frozenset({"eval_masks"})
    )


@hookimpl
def harness_backbones() -> Iterable[Component[Backbone]]:
    """The backbone of the tests."""
    yield Component(
        name="two_convs",
        build=build_two_convs,
        summary="two convolutions",
        facts=lambda features=8: {"stride": 4, "features": features},
    )


@hookimpl
def harness_poolings() -> Iterable[Component[Pooling]]:
    """The pooling of the tests."""
    yield Component(
        name="median",
        build=build_median,
        summary="the median",
        xfail={"gradient_reaches_every_instance": "a median has one source"},
    )


@hookimpl
def harness_architectures() -> Iterable[Component[Model]]:
    """The architecture of the tests."""
    yield Component(name="map_mean", build=build_map_mean, summary="a class map and its mean")
    yield Component(name="spy", build=build_spy, summary="reads a mask while it is trained")


@hookimpl
def harness_explainers() -> Iterable[Component[Explainer]]:
    """The explainer of the tests."""
    reason = "it never asks the model"
    yield Component(
        name="brightness",
        build=build_brightness,
        summary="bright pixels",
        xfail={
            "a_planted_spot_is_found": reason,
            "a_failure_names_explainer_and_cause_and_leaves_the_model_as_it_was": reason,
        },
    )


@hookimpl
def harness_metrics() -> Iterable[MetricRecord]:
    """The metric of the tests."""
    yield MetricRecord(
        name="hits",
        label="right answers",
        build=hits,
        summary="share of right answers",
        reads="scores",
        form="statistic",
        probabilities=True,
    )


@hookimpl
def harness_optimisers() -> Iterable[Component[Optimizer]]:
    """Return the optimiser of the tests."""
    yield Component(name="sign_sgd", build=build_sign_sgd, summary="the sign of an averaged gradient")


@hookimpl
def harness_schedules() -> Iterable[Component[Schedule]]:
    """Return the schedule of the tests."""
    yield Component(name="staircase", build=build_staircase, summary="down in equal stairs")
