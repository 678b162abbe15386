"""What `harness plugin show` and `list --json` say of a component; every parameter has a meaning, stated once."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner, Result

from harness import Component, Task, hookimpl
from harness.api.kit.described import described, meanings
from harness.cli.app import App
from harness.cli.main import build_cli
from harness.contract.components import parameters
from harness.contract.errors import Problems
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider

ITEMS = [pytest.param(item, id=f"{item[0]}-{item[1].name}") for item in Catalog.discover().items()]


def build_blur(
    features: int, outputs: int, /, *, width: float, mode: Literal["soft", "hard"] = "soft", path: str | None = None
) -> object:
    """Build a pooling.

    Args:
        features: not used.
        outputs: not used.
        width: of the blur,
            in [0.5, 4].
        mode: how edges are treated.
        path: of a file.

    Raises:
        ValueError: never.
    """
    return object()


class Own:
    @hookimpl
    def harness_poolings(self) -> list[Component[Any]]:
        said = {"space": {"width": {"float": [0.5, 4.0]}}, "xfail": {"a_law": "it cannot"}, "assumed": {"mode": "soft"}}
        return [Component(name="blur", build=build_blur, summary="blurs", needs=frozenset({"acme:word"}), **said)]


def harness(folder: Path, *arguments: str) -> Result:
    app = App(folder)
    app.catalog = Catalog()
    app.catalog.register(Own(), Provider("acme", "acme-blurs", "0.3.0"))
    return CliRunner().invoke(build_cli(app), arguments)


@pytest.mark.parametrize("item", ITEMS)
def test_every_parameter_of_a_built_in_component_has_a_meaning(item: Any) -> None:
    assert [name for name in parameters(item[1].build) if not meanings(item[1].build).get(name)] == []


@pytest.mark.parametrize("item", ITEMS)
def test_a_number_whose_builder_refuses_a_negative_one_has_a_range(item: Any, catalog: Catalog) -> None:
    kind, component, _ = item
    task = Task(classes=("one",), image_size=(256, 192))
    supplied = {"pooling": (100,), "architecture": (task,)}.get(kind, ())
    for entry in described(item)["parameters"]:
        if entry["type"] in (negative := {"int": -1, "float": -1.0}):
            table = {"use": component.name, **component.tiny, entry["name"]: negative[entry["type"]]}
            factory = catalog.factory(kind, table, Problems(""), kind)
            assert factory is not None
            try:
                factory.facts(*supplied)
            except ValueError:
                assert entry["range"], entry["name"]


def test_a_parameter_has_type_range_meaning_and_default(tmp_path: Path) -> None:
    (row,) = json.loads(harness(tmp_path, "plugin", "show", "blur", "--json").stdout)
    width, mode, path = row["parameters"]
    assert (width["required"], width["type"], width["range"]) == (True, "float", "in [0.5, 4]")
    assert width["meaning"] == "of the blur, in [0.5, 4]" and "default" not in width
    assert (mode["range"], mode["default"]) == ("one of soft, hard", "soft")
    assert path["default"] is None


def test_the_list_has_all_that_show_has(tmp_path: Path) -> None:
    listed = json.loads(harness(tmp_path, "plugin", "list", "--json").stdout)["components"]
    assert listed == json.loads(harness(tmp_path, "plugin", "show", "acme-blurs", "--json").stdout)
    assert set(listed[0]) >= {"parameters", "space", "needs", "provides", "source", "assumed", "xfail", "version"}


def test_what_is_shown_is_toml_that_a_study_may_hold(tmp_path: Path) -> None:
    shown = harness(tmp_path, "plugin", "show", "acme-blurs:blur").stdout
    assert tomllib.loads(shown) == {"use": "blur", "mode": "soft", "space": {"width": {"float": [0.5, 4.0]}}}
    for said in ("# of the blur, in [0.5, 4] (float, required)", "# needs: acme:word", "# expected failure, a_law"):
        assert said in shown


@pytest.mark.parametrize("item", ITEMS)
def test_every_built_in_component_is_shown_as_valid_toml(item: Any, catalog: Catalog, tmp_path: Path) -> None:
    from harness.cli.commands.kit.show import _lines

    shown = tomllib.loads("\n".join(_lines(described(item), 80)))
    defaults = {entry["name"] for entry in described(item)["parameters"] if entry.get("default") is not None}
    assert set(shown) - {"use", "space"} == defaults


def test_a_wrong_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    done = harness(tmp_path, "plugin", "show", "acme-blur")
    assert done.exit_code == 2 and "acme-blurs" in done.output
