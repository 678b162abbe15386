"""`harness plugin`: what is installed, and what could not be loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.tables import broken_table, notes_view, parameter_rows, plugin_table
from harness.contract.catalog import Provider
from harness.contract.components import KINDS, Component


@click.group()
def plugin() -> None:
    """Components and the distributions they come from.

    A plugin is any installed distribution with an entry point in the group `harness`; the built-ins
    arrive the same way. `disabled = ["datasets"]` under [plugins] in harness.toml leaves one out.
    """


@plugin.command("list", epilog=examples("harness plugin list", "harness plugin list pooling --json"))
@click.argument("kind", required=False, type=click.Choice(KINDS))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable: one object a component.")
@pass_app
def list_plugins(app: App, kind: str | None, as_json: bool) -> None:
    """Lists every component with its parameters, and names what is broken or slow; of one kind, its sources too.

    HARNESS_TRACE=1 shows the tracebacks of what is broken, and every hook call.
    """
    items = [item for item in app.catalog.items() if kind in (None, item[0])]
    if as_json:
        found = {"components": [_row(*item) for item in items], "broken": _broken(app), "slow": _slow(app)}
        click.echo(json.dumps(found, indent=2))
        return
    app.out.print(plugin_table(items))
    if kind:
        app.out.print(notes_view(items))
    if app.catalog.broken:
        app.out.print(broken_table(app.catalog.broken))
    for provider, seconds in app.catalog.slow.items():
        message = f"{provider} took {seconds:.1f} s to load: its heavy imports belong into its builders"
        app.out.print(Text(message, "yellow"))


def _row(kind: str, component: Component[Any], provider: Provider) -> dict[str, object]:
    names = ("name", "summary", "source")
    row: dict[str, object] = {"kind": kind, **{name: getattr(component, name) for name in names}}
    row |= {name: sorted(getattr(component, name)) for name in ("needs", "provides")}
    row |= {name: dict(getattr(component, name)) for name in ("assumed", "xfail")}
    return row | {"parameters": parameter_rows(component)} | asdict(provider)


def _broken(app: App) -> list[dict[str, Any]]:
    return [asdict(item.provider) | {"reason": item.reason} for item in app.catalog.broken]


def _slow(app: App) -> list[dict[str, Any]]:
    return [asdict(provider) | {"seconds": round(seconds, 2)} for provider, seconds in app.catalog.slow.items()]
