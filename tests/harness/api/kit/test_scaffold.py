"""A new package is a copy of the example with other names, and with the chosen kinds alone."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.api.kit.scaffold import PARTS, write_package
from harness.cli.app import App
from harness.cli.main import build_cli
from harness.contract.errors import InputError
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Provider


def load(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """Return a catalog with the package of a folder."""
    import importlib

    monkeypatch.syspath_prepend(str(folder / name / "src"))
    catalog = Catalog.discover()
    module = name.replace("-", "_")
    catalog.register(importlib.import_module(module), Provider(module, name, "0.1.0"))
    return catalog


@pytest.mark.parametrize("part", PARTS)
def test_a_package_of_each_kind_holds_that_kind_alone(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"acme-{part}s"
    written = write_package(name, [part], tmp_path)
    catalog = load(tmp_path, name, monkeypatch)
    assert catalog.broken == []
    own = [kind for kind, _, provider in catalog.items() if provider.distribution == name]
    assert own == ([part] if part not in ("observer", "command") else [])
    studies = [path.name for path in written if path.suffix == ".toml" and path.parent.name == "studies"]
    assert studies == ([f"acme_{part}s_{part}.toml"] if own else [])


def test_nothing_of_a_new_package_bears_the_name_of_the_example(tmp_path: Path) -> None:
    written = write_package("acme-pools", PARTS, tmp_path)
    assert len(written) > 25
    for path in written:
        assert "example" not in str(path.relative_to(tmp_path)).lower()
        assert "acme_example" not in path.read_text().lower() and "acme-example" not in path.read_text()


def test_a_new_package_names_its_entry_point_and_its_module(tmp_path: Path) -> None:
    write_package("acme-pools", ["pooling", "metric"], tmp_path)
    project = tomllib.loads((tmp_path / "acme-pools" / "pyproject.toml").read_text())
    assert project["project"]["name"] == "acme-pools"
    assert project["project"]["entry-points"]["harness"] == {"acme_pools": "acme_pools"}
    module = tmp_path / "acme-pools" / "src" / "acme_pools" / "__init__.py"
    imported = [node.module for node in ast.parse(module.read_text()).body if isinstance(node, ast.ImportFrom)]
    assert imported == ["acme_pools.metric", "acme_pools.pooling"]


@pytest.mark.parametrize("name", ["Acme", "acme_pools", "torch", "class", "-a", "harness"])
def test_a_name_that_cannot_be_used_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name"):
        write_package(name, ["pooling"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "acme-pools").mkdir()
    with pytest.raises(InputError, match="exists already"):
        write_package("acme-pools", ["pooling"], tmp_path)
    assert list((tmp_path / "acme-pools").iterdir()) == []


def test_the_command_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli = build_cli(App(tmp_path))
    shown = CliRunner().invoke(cli, ["plugin", "new", "acme-pools", "--kind", "pooling"])
    assert shown.exit_code == 0 and "harness plugin check acme-pools" in shown.output
    as_json = CliRunner().invoke(cli, ["plugin", "new", "acme-others", "--kind", "metric", "--json"])
    files = json.loads(as_json.stdout)["files"]
    assert "acme-others/studies/acme_others_metric.toml" in files and all((tmp_path / file).is_file() for file in files)
