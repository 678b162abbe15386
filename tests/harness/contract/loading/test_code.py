"""The digest of a plugin's code: what is executed counts, what is said about it does not."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.contract.errors import MachineError
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.code import code_digest, is_fluid
from harness.contract.provider import BUILT_IN, LOCAL, Provider
from tests.harness.contract.loading.installed import editable, install

CODE = '"""A plugin."""\nRATE = 0.5\n\n\ndef rate():\n    """Return the rate."""\n    return RATE\n'


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return an imported package of two files."""
    folder = tmp_path / "site" / "acme_pools"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('"""Poolings."""\n')
    (folder / "network.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = importlib.import_module("acme_pools")
    yield found
    del sys.modules["acme_pools"]


@pytest.mark.parametrize(
    "code",
    [
        CODE.replace("A plugin.", "Another sentence."),
        CODE.replace('    """Return the rate."""\n', ""),
        CODE.replace("RATE = 0.5", "RATE  =  0.5  # as published"),
        "\n\n" + CODE,
    ],
)
def test_comments_docstrings_and_layout_do_not_count(acme: ModuleType, code: str) -> None:
    before = code_digest([acme])
    Path(acme.__path__[0], "network.py").write_text(code)
    assert code_digest([acme]) == before


@pytest.mark.parametrize("code", [CODE.replace("0.5", "0.6"), CODE + "\nx = 1\n", "this is no Python", ""])
def test_what_is_executed_counts_in_every_file_of_the_package(acme: ModuleType, code: str) -> None:
    before = code_digest([acme])
    Path(acme.__path__[0], "network.py").write_text(code)
    assert code_digest([acme]) != before
    Path(acme.__path__[0], "network.py").write_text(CODE)
    assert code_digest([acme]) == before
    Path(acme.__path__[0], "new.py").write_text("")
    assert code_digest([acme]) != before


def test_only_code_that_can_change_while_its_version_stays_has_a_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "acme-pools", "x = 1")
    install(tmp_path / "site", "fixed-pools", "x = 1")
    editable(tmp_path / "site", "acme-pools")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    fluid = {
        name: is_fluid(Provider(name, name, "0.1"))
        for name in ("acme-pools", "fixed-pools", "no-distribution", BUILT_IN, LOCAL)
    }
    assert fluid == {
        "acme-pools": True, "fixed-pools": False, "no-distribution": True, BUILT_IN: False, LOCAL: False,
    }  # fmt: skip


def test_a_worker_holds_to_the_code_of_the_plan(acme: ModuleType) -> None:
    catalog = Catalog()
    catalog.register(acme, Provider("acme", "acme-file", "0"))
    planned = catalog.code(["acme-file", "other"])
    assert list(planned) == ["acme-file"]
    catalog.expect_code(planned)
    Path(acme.__path__[0], "network.py").write_text(CODE.replace("0.5", "0.6"))
    with pytest.raises(MachineError, match="acme-file: code changed while the study was running"):
        catalog.expect_code(planned)
    assert json.dumps(catalog.code([])) == "{}"
