"""Light components, a study file in a folder of its own, and a plan of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

import harness_optimisers
import harness_schedules
from harness import (
    BackboneFactory,
    Component,
    Dataset,
    InputError,
    MetricRecord,
    Plan,
    PoolingFactory,
    Standing,
    Task,
    hookimpl,
    use,
)
from harness.config.settings import Settings
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider
from harness.study.file.spec import load_study
from harness.study.plan.plan import make_plan


class Blobs(Dataset):
    def __init__(self, image_size: tuple[int, int], masks: str, seed: int, fold: int | None) -> None:
        self.task = blobs_task(image_size=image_size, masks=masks)
        self.seed = seed
        self.fold = fold

    @property
    def digest(self) -> str:
        fold = "" if self.fold is None else f" fold {self.fold}"
        return f"blobs {self.task.image_size} {self.task.mask_kind} {self.seed}{fold}"

    def split(self, name: str) -> Sequence[Any]:
        raise AssertionError("a plan looks at no sample")

    def read(self, sample: Any) -> Any:
        raise AssertionError("a plan decodes nothing")


def blobs_task(*, image_size: tuple[int, int] = (64, 64), masks: str = "outline", **_: Any) -> Task:
    return Task(classes=("benign", "malignant"), image_size=tuple(image_size), mask_kind=masks)  # type: ignore[arg-type]


def build_blobs(
    root: Path,
    /,
    *,
    image_size: tuple[int, int] = (64, 64),
    masks: Literal["outline", "circle", "none"] = "outline",
    seed: int = 0,
    folds: int = 0,
    fold: int = 0,
) -> Any:
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder")
    return Blobs(tuple(image_size), masks, seed, fold if folds else None)  # type: ignore[arg-type]


def build_net(channels: int, /, *, stride: Literal[4, 8, 16] = 8) -> Any:
    raise AssertionError("a plan builds no model")


def net_facts(*, stride: int = 8) -> Mapping[str, Any]:
    return {"stride": stride}


def build_mean(features: int, outputs: int, /) -> Any:
    raise AssertionError("a plan builds no model")


def mean_facts(cells: int, /) -> Mapping[str, Any]:
    return {"canonical": {"use": "top", "kept": cells}}


def build_top(features: int, outputs: int, /, *, fraction: float = 0.1) -> Any:
    raise AssertionError("a plan builds no model")


def top_facts(cells: int, /, *, fraction: float = 0.1) -> Mapping[str, Any]:
    if not 0 < fraction <= 1:
        raise ValueError(f"`0 < fraction <= 1` must hold, but got {fraction=}.")
    return {"canonical": {"use": "top", "kept": max(1, round(cells * fraction))}}


def build_attention(features: int, outputs: int, /, *, dim: int, dropout: float = 0.0) -> Any:
    raise AssertionError("a plan builds no model")


def build_bag(
    task: Task,
    /,
    *,
    backbone: BackboneFactory = use("net"),
    pooling: PoolingFactory = use("top", fraction=0.2),
    crops: int = 6,
    beta: float = 1e-4,
) -> Any:
    raise AssertionError("a plan builds no model")


def bag_facts(task: Task, /, *, backbone: Any, pooling: Any, crops: int, beta: float) -> Mapping[str, Any]:
    side = task.image_size[0] // backbone.facts()["stride"]
    cells = side * side
    if crops > cells:
        raise ValueError(f"K = {crops}: at most {cells} crops fit a {side} x {side} map.")
    common = pooling.facts(cells).get("canonical")
    return {"map": (side, side), "cells": cells, "canonical": {"pooling": common} if common else {}}


def build_supervised(task: Task, /) -> Any:
    raise AssertionError("a plan builds no model")


def build_two_views(task: Task, /) -> Any:
    raise AssertionError("a plan builds no model")


def area(terms: Any, weights: Any, /, *, share: float = 1.0) -> Any:
    raise AssertionError("a plan computes no metric")


def fitted_area(terms: Any, weights: Any, threshold: float, /, *, share: float = 1.0) -> Any:
    raise AssertionError("a plan computes no metric")


def area_facts(*, share: float = 1.0) -> Mapping[str, Any]:
    if not 0 < share <= 1:
        raise ValueError(f"`0 < share <= 1` must hold, but got {share=}.")
    return {}


def build_native(*, images: int = 3) -> Any:
    raise AssertionError("a plan builds no explainer")


class Plugin:
    """Two architectures that need something, one that needs nothing."""

    @hookimpl
    def harness_datasets(self) -> Iterable[Any]:
        yield Component(name="blobs", build=build_blobs, summary="s", task=blobs_task)

    @hookimpl
    def harness_backbones(self) -> Iterable[Any]:
        yield Component(name="net", build=build_net, facts=net_facts, summary="s")

    @hookimpl
    def harness_poolings(self) -> Iterable[Any]:
        yield Component(name="mean", build=build_mean, facts=mean_facts, summary="s")
        space = {"fraction": {"float": [0.01, 0.2], "log": True}}
        yield Component(name="top", build=build_top, facts=top_facts, summary="s", space=space)
        yield Component(name="attention", build=build_attention, summary="s")

    @hookimpl
    def harness_architectures(self) -> Iterable[Any]:
        saliency = frozenset({"saliency"})
        yield Component(name="bag", build=build_bag, facts=bag_facts, summary="s", provides=saliency)
        yield Component(name="supervised", build=build_supervised, summary="s", needs=frozenset({"train_masks"}))
        yield Component(name="two_views", build=build_two_views, summary="s", needs=frozenset({"views"}))

    @hookimpl
    def harness_metrics(self) -> Iterable[MetricRecord]:
        known: dict[str, Any] = {"label": "l", "summary": "s", "reads": "scores", "form": "statistic"}
        board, masks = (Standing(level="leaderboard"),), frozenset({"eval_masks", "outline"})
        yield MetricRecord(name="auroc", build=area, standing=board, **known)
        yield MetricRecord(name="brier", build=area, higher_is_better=False, **known)
        yield MetricRecord(name="partial", build=area, facts=area_facts, **known)
        yield MetricRecord(name="fitted", build=fitted_area, fit=area, **known)
        yield MetricRecord(name="distance", build=area, bounds=(0.0, math.inf), higher_is_better=False, **known)
        yield MetricRecord(name="gain", build=area, bounds=(-1.0, 1.0), **known)
        yield MetricRecord(name="dice", build=area, needs=masks, standing=board, **known | {"reads": "maps"})

    @hookimpl
    def harness_explainers(self) -> Iterable[Any]:
        yield Component(name="native", build=build_native, summary="s", needs=frozenset({"saliency"}))


class Stranger:
    """A plugin of another distribution."""

    @hookimpl
    def harness_poolings(self) -> Iterable[Any]:
        yield Component(name="odd", build=build_mean, summary="s")

    @hookimpl
    def harness_optimisers(self) -> Iterable[Any]:
        yield Component(name="odd", build=build_odd_optimiser, summary="s", space={"damping": {"float": [0.1, 0.9]}})


def build_odd_optimiser(
    groups: list[dict[str, Any]], lr: float, weight_decay: float, /, *, damping: float = 0.5
) -> Any:
    raise AssertionError("a plan builds no optimiser")


BASE = """
[study]
question = "?"
baseline = "plain"
metrics = ["auroc", "dice"]
[dataset]
use = "blobs"
[train]
epochs = 4
lr = { log10 = [-4, -2], default = -3 }
[model]
use = "bag"
[search]
trials = 4
sampler = { use = "tpe", startup = 2 }
[confirm]
seeds = [0, 1]
[variants.plain]
[variants.gap.model]
pooling = { use = "mean" }
[variants.top.model]
pooling = { use = "top", fraction = 0.5 }
"""


@pytest.fixture
def planner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`plan(text)` of a study file; `problems(text)` are the lines of its InputError; `BASE` is sound."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(data=tmp_path, results=tmp_path / "results", cache=tmp_path / "cache")

    def catalog(stranger: str = "1.0") -> Catalog:
        found = Catalog()
        found.register(Plugin(), Provider("plugin", "mil-harness", "0.1"))
        found.register(harness_optimisers, Provider("optimisers", "mil-harness", "0.1"))
        found.register(harness_schedules, Provider("schedules", "mil-harness", "0.1"))
        found.register(Stranger(), Provider("stranger", "odd-pooling", stranger))
        assert not found.broken
        return found

    def plan(text: str = BASE, *overrides: str, budget: str | None = None, stranger: str = "1.0") -> Plan:
        path = Path("study.toml")
        path.write_text(text)
        study = load_study(path)
        return make_plan(study, catalog(stranger), settings, budget=budget, overrides=overrides)

    def problems(text: str = BASE, *overrides: str, budget: str | None = None) -> list[str]:
        with pytest.raises(InputError) as caught:
            plan(text, *overrides, budget=budget)
        return str(caught.value).splitlines()

    def replaced(*pairs: tuple[str, str]) -> str:
        text = BASE
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        return text

    tools: dict[str, Callable[..., Any]] = {"plan": plan, "problems": problems, "replaced": replaced}
    return SimpleNamespace(BASE=BASE, settings=settings, catalog=catalog, **tools)
