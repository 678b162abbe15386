"""`harness plugin check`: laws and a short study without a test file; a table, and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness import Component, InputError, Task, hookimpl
from harness.api.kit.addresses import find
from harness.api.kit.checking import LOADING, STUDY, Row, check_plugin
from harness.api.kit.short_study import try_study
from harness.api.session import Session
from harness.cli.app import App
from harness.cli.main import build_cli
from harness.config.settings import load_settings
from harness.contract.components import KINDS
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider

EXAMPLE = Path(__file__).parents[4] / "example" / "src"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the shipped example."""
    import importlib

    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield importlib.import_module("acme_example")
    for name in [name for name in sys.modules if name.startswith("acme_example")]:
        del sys.modules[name]


def with_plugin(plugin: Any, name: str) -> Catalog:
    catalog = Catalog.discover()
    catalog.register(plugin, Provider(name.replace("-", "_"), name, "0.1.0"))
    return catalog


def checked(catalog: Catalog, name: str, folder: Path) -> list[Row]:
    return list(check_plugin(name, Session(load_settings(folder), catalog)))


def harness(catalog: Catalog, folder: Path, *arguments: str) -> Result:
    app = App(folder)
    app.catalog = catalog
    return CliRunner().invoke(build_cli(app), arguments)


def build_sum(features: int, outputs: int, /) -> Any:
    """A sum in place of a mean: more instances, a higher score."""
    from harness.nn import Pooled, Pooling

    class Sum(Pooling):
        def forward(self, x: Any, key: Any = None, mask: Any = None) -> Pooled:
            return Pooled((x if mask is None else x * mask[..., None]).sum(1))

    return Sum()


def build_stumbling(task: Task, /) -> Any:
    """A model that cannot be trained."""
    from torch import nn

    from harness.nn import Batch, Model, Output

    class Stumbling(Model):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Linear(1, 1)

        def forward(self, batch: Batch) -> Output:
            raise RuntimeError("the cable is not plugged in")

        def losses(self, out: Output, batch: Batch) -> dict[str, Any]:
            return {}

    return Stumbling()


class Own:
    """A plugin of some components."""

    @hookimpl
    def harness_poolings(self) -> Iterable[Component[Any]]:
        print("a plugin that prints")
        yield Component(name="sum", build=build_sum, summary="the sum")

    @hookimpl
    def harness_architectures(self) -> Iterable[Component[Any]]:
        yield Component(name="stumbling", build=build_stumbling, summary="raises")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_component_of_each_kind_reaches_the_leaderboard_of_a_short_study(
    kind: str, example: Any, tmp_path: Path
) -> None:
    session = Session(load_settings(tmp_path), with_plugin(example, "acme-example"))
    ((_, component, _),) = (item for item in find(session.catalog, "acme-example") if item[0] == kind)
    outcome = try_study(kind, component, session, tmp_path / "study")
    assert outcome.verdict == "pass" and "test/auroc" in outcome.seen
    assert kind != "metric" or "test/hits" in outcome.seen


def test_the_laws_are_tried_and_so_is_what_a_component_declares(example: Any, tmp_path: Path) -> None:
    rows = checked(with_plugin(example, "acme-example"), "acme-example:median", tmp_path)
    assert [(row.law, row.seen) for row in rows if row.verdict == "fail"] == []
    assert [row.law for row in rows if row.verdict == "xfail"] == ["gradient_reaches_every_instance"]
    assert rows[-1].law == STUDY


@pytest.mark.slow
def test_a_broken_law_is_named_with_what_was_seen_and_how_to_mend_it(tmp_path: Path) -> None:
    rows = checked(with_plugin(Own(), "acme-sums"), "acme-sums:sum", tmp_path)
    assert {row.component for row in rows} == {"sum"}
    broken = [row for row in rows if row.verdict == "fail"]
    assert broken and all(row.seen and row.mend for row in broken)


def test_a_component_that_cannot_be_trained_fails_its_study(tmp_path: Path) -> None:
    rows = checked(with_plugin(Own(), "acme-sums"), "acme-sums:stumbling", tmp_path)
    (study,) = (row for row in rows if row.law == STUDY)
    assert study.verdict == "fail" and "the cable is not plugged in" in study.seen


def test_the_command_ends_with_1_and_its_json_is_whole(tmp_path: Path) -> None:
    done = harness(with_plugin(Own(), "acme-sums"), tmp_path, "plugin", "check", "acme-sums:sum", "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert found["passed"] is False and {row["verdict"] for row in found["findings"]} >= {"pass", "fail"}


def test_a_plugin_that_could_not_be_loaded_fails_with_the_reason(tmp_path: Path) -> None:
    class Misspelt:
        @hookimpl
        def harness_poolngs(self) -> Iterable[Component[Any]]:
            return []

    (row,) = checked(with_plugin(Misspelt(), "acme-pools"), "acme-pools", tmp_path)
    assert (row.law, row.verdict) == (LOADING, "fail") and "harness_poolings" in row.seen


@pytest.mark.parametrize(
    ("wrong", "right"), [("acme-sum", "acme-sums"), ("acme-sums:sun", "acme-sums:sum"), ("top_fracton", "top_fraction")]
)
def test_a_wrong_name_is_refused_with_the_nearest(wrong: str, right: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"did you mean '{right}'"):
        checked(with_plugin(Own(), "acme-sums"), wrong, tmp_path)
    assert harness(with_plugin(Own(), "acme-sums"), tmp_path, "plugin", "check", wrong).exit_code == 2


def test_a_plugin_of_hooks_alone_has_nothing_to_check(tmp_path: Path) -> None:
    class Watcher:
        @hookimpl
        def harness_study_started(self, plan: Any) -> None:
            pass

    done = harness(with_plugin(Watcher(), "acme-watcher"), tmp_path, "plugin", "check", "acme-watcher")
    assert done.exit_code == 0 and "hooks alone have no laws" in done.stdout
