"""The plugin host: good plugins arrive, bad ones are named and stop nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from harness import Component, InputError, hookimpl
from harness.config.settings import load_settings
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.error_origin import raised_in
from harness.contract.provider import Provider
from harness.study.run.doctor import check_machine


@pytest.fixture
def crowded(third_party_site: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.syspath_prepend(str(third_party_site))
    found = Catalog.discover()
    for name in [name for name in sys.modules if name.startswith(("acme_example", "third_party_plugin"))]:
        del sys.modules[name]
    return found


def test_a_strangers_components_stand_beside_the_built_in_ones(crowded: Catalog) -> None:
    for kind, name in [
        ("dataset", "stripes"),
        ("backbone", "two_convs"),
        ("pooling", "median"),
        ("architecture", "map_mean"),
        ("explainer", "brightness"),
        ("metric", "hits"),
        ("optimiser", "sign_sgd"),
        ("schedule", "staircase"),
    ]:
        provider = crowded.provider(kind, name)
        assert (provider.distribution, provider.version) == ("acme-example", "0.1.0")
    assert crowded.provider("backbone", "resnet22").distribution == "mil-harness"


def test_each_bad_plugin_is_named_with_its_distribution_and_version(crowded: Catalog) -> None:
    reasons = {broken.provider.plugin: broken for broken in crowded.broken}
    bad = ("broken", "clash", "exits", "misspelt", "nameless")
    assert set(reasons) == {f"third_party_{name}" for name in bad}
    assert all("third-party-plugin 1.2.3" in str(broken.provider) for broken in crowded.broken)
    assert "needs a library that is not there" in reasons["third_party_broken"].reason
    assert "did you mean 'harness_backbones'?" in reasons["third_party_misspelt"].reason
    assert reasons["third_party_exits"].reason == "SystemExit: usage: exits.py FILE"
    clash = reasons["third_party_clash"].reason
    assert "'resnet22' is already provided by backbones (mil-harness" in clash


def test_a_disabled_plugin_is_not_loaded_whoever_made_it() -> None:
    assert "resnet22" not in Catalog.discover(disabled=["backbones"]).names("backbone")


def test_only_the_plugins_that_are_asked_for_are_loaded() -> None:
    found = Catalog.discover(only=["schedules"])
    assert {kind for kind, _, _ in found.items()} == {"schedule"} and "one_cycle" in found.names("schedule")


def test_the_doctor_names_a_disabled_plugin_that_is_not_installed(tmp_path: Path) -> None:
    disabled = ("backbones", "poolngs")
    findings = check_machine(replace(load_settings(tmp_path), disabled=disabled), Catalog.discover(disabled))
    told = [finding.message for finding in findings if "disabled" in finding.message]
    assert told == ["[plugins] disabled names 'poolngs', which is not installed; did you mean 'poolings'?"]


def test_an_error_is_told_with_the_plugin_whose_code_raised_it(crowded: Catalog) -> None:
    model = crowded.build("backbone", "two_convs", 1)
    with pytest.raises(RuntimeError) as caught:
        model(torch.zeros(1, 3, 8, 8))
    assert re.fullmatch(
        r"backbone/network\.py:\d+ of acme_example \(acme-example 0\.1\.0\)", raised_in(caught.value, crowded)
    )
    with pytest.raises(ZeroDivisionError) as other:
        1 // 0  # noqa: B018
    assert raised_in(other.value, crowded) == ""


def test_an_unknown_name_suggests_the_nearest(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="no backbone named 'resnt22'; did you mean 'resnet22'?"):
        catalog.get("backbone", "resnt22")


def build_thing(features: int, outputs: int, /, *, dim: int = 4, rate: float = 0.5) -> object:
    """A builder whose signature is its schema."""
    return (features, outputs, dim, rate)


class Local:
    """A plugin that is an object."""

    def __init__(self, *components: Component[object]) -> None:
        self.components = components

    @hookimpl
    def harness_poolings(self) -> tuple[Component[object], ...]:
        return self.components


def test_all_mistakes_of_a_table_are_told_at_once() -> None:
    catalog = Catalog()
    catalog.register(Local(Component(name="thing", build=build_thing, summary="")))
    problems = Problems("study.toml")
    catalog.factory("pooling", {"use": "thing", "dims": 3, "rate": "high", "dim": 3.7}, problems, "model.pooling")
    assert problems.messages == [
        "study.toml: model.pooling.dims: 'thing' takes dim, rate; did you mean 'dim'?",
        "study.toml: model.pooling.dim: expected int, found 3.7",
        "study.toml: model.pooling.rate: expected float, found 'high'",
    ]


def test_a_builder_gets_what_the_study_sets_and_the_harness_supplies() -> None:
    catalog = Catalog()
    catalog.register(Local(Component(name="thing", build=build_thing, summary="")))
    assert catalog.build("pooling", {"use": "thing", "rate": 1}, 8, 2) == (8, 2, 4, 1)


def test_an_observer_that_raises_is_left_out_and_remembered() -> None:
    seen: list[int] = []

    class Bad:
        @hookimpl
        def harness_study_started(self, plan: object) -> None:
            raise RuntimeError("no")

    class Good:
        @hookimpl
        def harness_study_started(self, plan: object) -> None:
            seen.append(1)

    catalog = Catalog()
    catalog.register(Bad())
    catalog.register(Good())
    catalog.notify("harness_study_started", plan=None)
    catalog.notify("harness_study_started", plan=None)
    assert seen == [1, 1]
    assert [broken.reason for broken in catalog.broken] == ["harness_study_started: RuntimeError: no"]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("name", None, "the name of a pooling is a string, not None"),
        ("summary", 3, "the summary of a pooling is a string, not 3"),
        ("build", "build_thing", "the build of 'thing' cannot be called: 'build_thing'"),
        ("source", None, "the source of 'thing' is a string, not None"),
        ("needs", None, "the needs of 'thing' is a set of strings, not None"),
        ("needs", "saliency", "the needs of 'thing' is a set of strings, not 'saliency'"),
        ("provides", {3}, "the provides of 'thing' is a set of strings, not {3}"),
        ("refuses", ["augment"], "the refuses of 'thing' is a table of strings, not ['augment']"),
        ("space", [], "the space of 'thing' is a table, not []"),
        ("tiny", None, "the tiny of 'thing' is a table, not None"),
        ("assumed", None, "the assumed of 'thing' is a table of strings, not None"),
        ("xfail", {"law": 1}, "the xfail of 'thing' is a table of strings, not {'law': 1}"),
        ("facts", {}, "the facts of 'thing' is a function, not {}"),
        ("task", 3, "the task of 'thing' is a function or None, not 3"),
        ("higher_is_better", "no", "the higher_is_better of 'thing' is True or False, not 'no'"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(key: str, value: object, reason: str) -> None:
    component: Component[object] = Component(name="thing", build=build_thing, summary="")
    object.__setattr__(component, key, value)  # past the types that tests check and users' runs do not
    catalog = Catalog()
    catalog.register(Local(component))
    assert [broken.reason for broken in catalog.broken] == [f"harness_poolings: {reason}"]
    assert not catalog.names("pooling")


def test_a_hook_whose_argument_has_a_default_is_refused_by_name() -> None:
    class Optional:
        @hookimpl
        def harness_study_started(self, plan: object = None) -> None:
            raise AssertionError("never called")

    catalog = Catalog()
    catalog.register(Optional())
    (broken,) = catalog.broken
    assert broken.reason.endswith(
        "harness_study_started: the argument 'plan' has a default, and none may have one; write 'plan' alone"
    )
    catalog.notify("harness_study_started", plan=None)


def test_a_slow_plugin_is_known_by_its_distribution_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.contract.loading.catalog.SLOW_S", -1.0)
    slow = Catalog.discover().slow
    assert ("poolings", "mil-harness") in {(provider.plugin, provider.distribution) for provider in slow}
    assert all(f"({provider.distribution} {provider.version})" in str(provider) for provider in slow)


def _entry(monkeypatch: pytest.MonkeyPatch, load: Callable[[], object]) -> Catalog:
    """What is found where one entry point, of a stranger, loads by this."""
    provider = Provider("odd", "odd-dist", "1.0")
    monkeypatch.setattr(
        "harness.contract.loading.catalog.entry_points", lambda: [(SimpleNamespace(load=load), provider)]
    )
    return Catalog.discover()


def test_an_import_that_raises_what_is_no_exception_stops_nothing_and_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Odd(BaseException):
        pass

    def odd() -> object:
        raise Odd("out of the way")

    def interrupted() -> object:
        raise KeyboardInterrupt

    (broken,) = _entry(monkeypatch, odd).broken
    assert str(broken.provider) == "odd (odd-dist 1.0)" and broken.reason == "Odd: out of the way"
    with pytest.raises(KeyboardInterrupt):
        _entry(monkeypatch, interrupted)


def test_what_a_plugin_prints_while_it_is_imported_does_not_reach_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def chatty() -> object:
        print("welcome")
        return SimpleNamespace()

    _entry(monkeypatch, chatty)
    assert capsys.readouterr() == ("", "welcome\n")


def test_a_hook_with_a_wrong_argument_says_which_one() -> None:
    class Wrong:
        @hookimpl
        def harness_poolings(self, catalog: object) -> list[Component[object]]:
            return []

    catalog = Catalog()
    catalog.register(Wrong())
    assert "catalog" in catalog.broken[0].reason and "harness_poolings" in catalog.broken[0].reason


def test_a_hook_that_ends_the_program_does_not() -> None:
    class Leaving:
        @hookimpl
        def harness_poolings(self) -> list[Component[object]]:
            raise SystemExit(3)

        @hookimpl
        def harness_study_started(self, plan: object) -> None:
            raise SystemExit(4)

    catalog = Catalog()
    catalog.register(Leaving())
    catalog.notify("harness_study_started", plan=None)
    assert [broken.reason for broken in catalog.broken] == [
        "harness_poolings: SystemExit: 3",
        "harness_study_started: SystemExit: 4",
    ]
