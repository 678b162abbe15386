"""With `--json`, standard output is one JSON document, whatever plugins, hooks and C code print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.contract.loading.installed import harness, install

CHATTY = """
import ctypes, os, sys
from harness import Component, hookimpl

def say(where):
    print(f"print {where}")
    sys.__stdout__.write(f"stream {where}\\n")
    os.write(1, f"descriptor {where}\\n".encode())
    libc = ctypes.CDLL(None)
    libc.puts(f"C {where}".encode())
    libc.fflush(None)

say("at import")

def build_median(features: int, outputs: int, /):
    return None

@hookimpl
def harness_poolings():
    say("in a hook")
    yield Component(name="acme_median", build=build_median, summary="chatty")

@hookimpl
def harness_commands(cli):
    import click
    say("in another hook")

    @cli.command()
    def greet():
        click.echo("hello")
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path / "site", "acme-pools", CHATTY)
    return tmp_path / "site"


def test_json_is_whole(site: Path) -> None:
    done = harness(site, "plugin", "list", "pooling", "--json")
    names = {row["name"] for row in json.loads(done.stdout)["components"]}
    assert "acme_median" in names and done.returncode == 0
    for how in ("print", "stream", "descriptor", "C"):
        for where in ("at import", "in a hook", "in another hook"):
            assert f"{how} {where}" in done.stderr


def test_what_is_printed_later_does_not_reach_it_either(site: Path) -> None:
    late = CHATTY.replace('say("at import")', 'import atexit; atexit.register(say, "at the end")')
    install(site, "acme-pools", late)
    done = harness(site, "data", "list", "--json")
    assert isinstance(json.loads(done.stdout), list) and "C at the end" in done.stderr


def test_a_command_of_a_plugin_keeps_standard_output(site: Path) -> None:
    assert harness(site, "greet").stdout == "hello\n"
