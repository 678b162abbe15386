"""Settings of a plugin reach its hooks; a value from the environment is masked wherever it could be shown."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import hookimpl
from harness.config.settings import load_settings
from harness.contract.errors import InputError
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.plugin_settings import PluginSettings
from harness.contract.provider import Provider
from harness.study.run.doctor import check_machine
from tests.harness.contract.loading.installed import harness, install

SECRET = "s3cr3t-t0k3n"
TOML = """
[plugins.acme-watch]
url = "https://example.org"
token = "env:ACME_TOKEN"
deep = { keys = ["env:ACME_TOKEN", "plain"] }
[plugins."acme-watch:median"]
window = 3
"""


class Watcher:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def harness_poolings(self, settings: Any) -> list[Any]:
        self.seen.append(settings)
        return []

    @hookimpl
    def harness_study_started(self, plan: Any, settings: Any) -> None:
        self.seen.append(settings)
        raise RuntimeError(f"401: {settings['token']} is refused")


def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Catalog, Watcher]:
    monkeypatch.setenv("ACME_TOKEN", SECRET)
    (folder / "harness.toml").write_text(TOML)
    catalog, plugin = Catalog(settings=load_settings(folder).plugins), Watcher()
    catalog.register(plugin, Provider("watch", "Acme_Watch", "0.1"))
    return catalog, plugin


def test_settings_reach_every_hook_that_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, plugin = watched(tmp_path, monkeypatch)
    catalog.notify("harness_study_started", plan=None)
    assert [dict(seen) for seen in plugin.seen] == 2 * [
        {
            "url": "https://example.org",
            "token": SECRET,
            "deep": {"keys": [SECRET, "plain"]},
            "median": {"window": 3},
        }
    ]


def test_a_secret_is_masked_in_the_reason_of_a_failure_and_when_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, plugin = watched(tmp_path, monkeypatch)
    catalog.notify("harness_study_started", plan=None)
    (broken,) = catalog.broken
    assert broken.reason == "harness_study_started: RuntimeError: 401: env:ACME_TOKEN is refused"
    shown = f"{broken} {plugin.seen[0]!r} {plugin.seen[0]} {catalog!r} {load_settings(tmp_path)!r}"
    assert SECRET not in shown and "env:ACME_TOKEN" in shown


def test_every_variable_that_is_not_set_is_named_and_the_plugin_is_not_used(tmp_path: Path) -> None:
    catalog, plugin = Catalog(settings={"acme": {"token": "env:NOT_SET", "key": {"a": "env:NOR_THIS"}}}), Watcher()
    catalog.register(plugin, Provider("watch", "acme", "0.1"))
    assert [item.reason for item in catalog.broken] == [
        "InputError: harness.toml: plugins.acme.token: the environment variable NOT_SET is not set; "
        "harness.toml: plugins.acme.key.a: the environment variable NOR_THIS is not set"
    ]
    assert plugin.seen == []


def test_a_short_value_is_no_secret_that_could_be_found_in_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_LEVEL", "1")
    settings = PluginSettings({"level": "env:ACME_LEVEL"})
    assert settings["level"] == "1" and not settings.secrets


def test_a_command_line_passes_settings_on(tmp_path: Path) -> None:
    site = tmp_path / "site"
    code = """
from harness import hookimpl

@hookimpl
def harness_commands(cli, settings):
    import click
    cli.add_command(click.Command("greet", callback=lambda: click.echo(settings["greeting"])))
"""
    install(site, "acme-pools", code)
    (site / "harness.toml").write_text('[plugins.acme-pools]\ngreeting = "env:GREETING"\n')
    assert harness(site, "greet", GREETING="hello").stdout == "hello\n"
    without = harness(site, "--help")
    assert "plugins.acme-pools.greeting: the environment variable GREETING is not set" in without.stderr
    listed = json.loads(harness(site, "plugin", "list", "--json", GREETING=SECRET).stdout)
    assert SECRET not in json.dumps(listed) and os.environ.get("GREETING") is None


def test_the_doctor_names_settings_that_reach_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, _ = watched(tmp_path, monkeypatch)
    settings = replace(load_settings(tmp_path), plugins={"acme-watsh": {}, "ACME_watch:median": {}, "watch": {}})
    told = [item.message for item in check_machine(settings, catalog) if item.message.startswith("[plugins.")]
    assert told == ["[plugins.acme-watsh] has settings of no plugin that is loaded; did you mean 'Acme_Watch'?"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[plugins]\ndisable = ["x"]\n', "did you mean 'disabled'?"),
        ("[plugins]\nacme = 3\n", "'acme' is neither `disabled` nor a table [plugins.acme] of settings"),
    ],
)
def test_what_is_no_table_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_settings(tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        (1, None),
        (2, "InputError: it is written for contract 2, and this harness has contract 1: update mil-harness"),
        (0, "InputError: a plugin states its contract by a number, as `contract = 1`, not 0"),
        ("1", "InputError: a plugin states its contract by a number, as `contract = 1`, not '1'"),
        (True, "InputError: a plugin states its contract by a number, as `contract = 1`, not True"),
        (json, None),  # a module of the plugin's own
    ],
)
def test_a_plugin_for_another_contract_is_refused(stated: Any, reason: str | None) -> None:
    catalog = Catalog()
    catalog.register(SimpleNamespace(__name__="acme", contract=stated))
    assert [item.reason for item in catalog.broken] == ([reason] if reason else [])
