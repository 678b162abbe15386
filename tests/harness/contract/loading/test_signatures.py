"""A builder whose signature cannot serve as a schema is refused when it is loaded, with the line as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from harness import BackboneFactory, Component, MetricRecord, hookimpl, use
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.signatures import wrong_signature


def refusal(kind: str, build: Callable[..., Any]) -> str:
    found = wrong_signature(kind, Component(name="thing", build=build, summary=""))
    assert found is not None
    return found


def test_the_rest_of_the_settings_may_not_be_caught_together() -> None:
    def build_thing(features: int, outputs: int, /, *, window: int = 1, **kwargs: Any) -> object:
        raise AssertionError

    assert refusal("pooling", build_thing) == (
        "the signature of 'thing': `**kwargs` would take a misspelt setting: name each setting; "
        "write `def build_thing(features: int, outputs: int, /, *, window: int = 1)`"
    )


def test_a_setting_stands_after_the_star() -> None:
    def build_thing(channels, /, depth: int = 3, width: float = 1.5) -> object:  # type: ignore[no-untyped-def]
        raise AssertionError

    assert refusal("backbone", build_thing) == (
        "the signature of 'thing': 'depth' is a setting: write it after `*`; "
        "'width' is a setting: write it after `*`; "
        "write `def build_thing(channels: int, /, *, depth: int = 3, width: float = 1.5)`"
    )


def test_a_setting_without_annotation_would_take_any_value() -> None:
    def build_thing(task, /, *, depth=3, rate=0.5, names=("a",), where=None, must):  # type: ignore[no-untyped-def]
        raise AssertionError

    found = refusal("architecture", build_thing)
    assert [name for name in ("depth", "rate", "names", "where", "must") if f"'{name}' has no annotation" in found] == [
        "depth", "rate", "names", "where", "must",
    ]  # fmt: skip
    assert found.endswith(
        "write `def build_thing(task: Task, /, *, depth: int = 3, rate: float = 0.5, names: list[str] = ('a',), "
        "where: TYPE = None, must: TYPE)`"
    )


@pytest.mark.parametrize(
    ("annotation", "default", "why", "mended"),
    [
        (int, 1.5, "expected int, found 1.5", "setting: float = 1.5"),
        (int, None, "expected int, found None", "setting: int | None = None"),
        (str, 3, "expected str, found 3", "setting: str | int = 3"),
        (
            Literal["max", "min"],
            "mean",
            "'mean' is not one of max, min",
            "setting: Literal['max', 'min', 'mean'] = 'mean'",
        ),
        (list[float], ("a",), "expected list of float, found ('a',)", "setting: list[float] | list[str] = ('a',)"),
        (bool, 1, "expected bool, found 1", "setting: bool | int = 1"),
    ],
)
def test_a_default_fits_its_annotation(annotation: Any, default: Any, why: str, mended: str) -> None:
    def build_thing(features: int, outputs: int, /, *, setting: object = default) -> object:
        raise AssertionError

    build_thing.__annotations__["setting"] = annotation
    found = refusal("pooling", build_thing)
    assert f"the default of 'setting' does not fit: {why}" in found
    assert mended in found


@pytest.mark.parametrize(
    ("kind", "supplied"),
    [
        ("dataset", "root: Path"),
        ("backbone", "channels: int"),
        ("pooling", "features: int, outputs: int"),
        ("architecture", "task: Task"),
        ("optimiser", "groups: list[dict[str, Any]], lr: float, weight_decay: float"),
        ("schedule", "steps: int, epochs: int"),
    ],
)
def test_what_the_harness_supplies_has_a_parameter(kind: str, supplied: str) -> None:
    def build_thing(*, depth: int = 3) -> object:
        raise AssertionError

    found = refusal(kind, build_thing)
    assert "by position" in found and found.endswith(f"write `def build_thing({supplied}, /, *, depth: int = 3)`")


def test_a_pooling_with_one_parameter_too_few_keeps_the_name_of_the_first() -> None:
    def build_thing(width: int, /) -> object:
        raise AssertionError

    assert refusal("pooling", build_thing) == (
        "the signature of 'thing': the harness supplies 2 by position, and outputs has no parameter; "
        "write `def build_thing(width: int, outputs: int, /)`"
    )


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"reads": "scores", "form": "mean"}, "terms: Any, /"),
        ({"reads": "scores", "form": "statistic"}, "terms: Any, weights: Array | None, /"),
        ({"reads": "maps", "form": "term"}, "saliency: Array, mask: Array, /"),
        ({"reads": "weights", "form": "term"}, "weights: Array, /"),
        ({"reads": "maps", "form": "mean", "fit": len}, "terms: Any, threshold: float, /"),
    ],
)
def test_the_parameters_of_a_metric_follow_from_its_form(fields: dict[str, Any], line: str) -> None:
    def none_at_all() -> float:
        raise AssertionError

    record = MetricRecord(name="thing", label="", summary="", build=none_at_all, **fields)
    assert (wrong_signature("metric", record) or "").endswith(f"write `def none_at_all({line})`")


def test_honest_builders_are_taken() -> None:
    def all_of_it(
        task: object,
        /,
        *,
        backbone: BackboneFactory = use("resnet22", stride=4),
        other: BackboneFactory | None = None,
        mode: Literal["max", "min"] = "max",
        sizes: tuple[int, ...] = (3, 4),
        rate: float = 1,
        path: str,
    ) -> object:
        raise AssertionError

    def without_a_slash(features, outputs, *, window: int = 1):  # type: ignore[no-untyped-def]
        raise AssertionError

    def written_as_text(root: Path, /, *, size: "int" = 3) -> "Unknown":  # type: ignore[name-defined]  # noqa: F821, UP037
        raise AssertionError

    for kind, build in [("architecture", all_of_it), ("pooling", without_a_slash), ("dataset", written_as_text)]:
        assert wrong_signature(kind, Component(name="thing", build=build, summary="")) is None


def test_an_annotation_that_cannot_be_evaluated_is_named() -> None:
    def build_thing(channels: int, /, *, depth: "Depht" = 3) -> object:  # type: ignore[name-defined]  # noqa: F821, UP037
        raise AssertionError

    assert "cannot be read: NameError: name 'Depht' is not defined" in refusal("backbone", build_thing)


def test_a_refused_component_leaves_the_other_components_of_its_plugin() -> None:
    def bad(features: int, outputs: int, /, **rest: Any) -> object:
        raise AssertionError

    def good(features: int, outputs: int, /) -> object:
        return features, outputs

    class Plugin:
        @hookimpl
        def harness_poolings(self) -> list[Component[object]]:
            return [Component(name=name, build=build, summary="") for name, build in (("bad", bad), ("good", good))]

    catalog = Catalog()
    catalog.register(Plugin())
    assert catalog.names("pooling") == ["good"]
    assert "`**rest` would take a misspelt setting" in catalog.broken[0].reason
