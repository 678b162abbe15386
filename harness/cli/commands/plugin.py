"""`harness plugin`: the installed components, and the plugins that could not be loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from harness.api.kit.described import described
from harness.cli.app import App, examples, pass_app
from harness.cli.commands.kit.check import check
from harness.cli.commands.kit.new import new
from harness.cli.commands.kit.show import show
from harness.cli.commands.kit.trust import trust
from harness.cli.options import json_option
from harness.cli.rendering.atoms import Words
from harness.cli.streams import emit
from harness.cli.views.components import broken_table, component_table, hooks_view, notes_view
from harness.contract.components import KINDS


@click.group()
def plugin() -> None:
    """List, write and check components and the distributions that provide them.

    A plugin is any installed distribution with an entry point in the group `harness`. The built-in plugins
    are loaded in the same way. `disabled = ["datasets"]` under [plugins] in harness.toml leaves one out.
    """


plugin.add_command(new)
plugin.add_command(check)
plugin.add_command(show)
plugin.add_command(trust)


_LIST = f"""List every component, and the plugins that are broken or slow.

With KIND ({", ".join(KINDS)}), list the components of one kind with their parameters and sources.
HARNESS_TRACE=1 shows the traceback of each broken plugin and every hook call.
"""


@plugin.command("list", help=_LIST, epilog=examples("harness plugin list", "harness plugin list pooling --json"))
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice(KINDS))
@json_option
@pass_app
def list_plugins(app: App, kind: str | None, as_json: bool) -> None:
    """List the components of one kind or of all."""
    items = [item for item in app.catalog.items() if kind in (None, item[0])]
    if as_json:
        found = {"components": [described(item) for item in items], "plugins": _plugins(app)}
        found |= {"broken": _broken(app), "slow": _slow(app), "files": _files(app)}
        emit(json.dumps(found, indent=2))
        return
    app.show(component_table(items, kind))
    if kind:
        app.show(notes_view(items))
    else:
        app.show(hooks_view(app.catalog))
    if app.catalog.broken:
        app.show(broken_table(app.catalog.broken))
    for provider, seconds in app.catalog.slow.items():
        message = f"{provider} took {seconds:.1f} s to load: move its heavy imports into its builders"
        app.show(Words(message, "yellow"))
    for item in _files(app):
        trusted = f"{item['file']} is trusted; commands that need components run it"
        app.show(Words(item["refused"] or trusted, "yellow" if item["refused"] else ""))


def _plugins(app: App) -> list[dict[str, Any]]:
    """Return every loaded plugin with its hooks and the likely mistakes in it; also one without components."""
    catalog = app.catalog
    notes: dict[str, list[str]] = {name: [] for name in catalog.providers}
    for note in (*catalog.remarks, *catalog.at_import):
        notes.setdefault(note.provider.plugin, []).append(note.message)
    return [
        asdict(catalog.providers[name]) | {"hooks": hooks, "notes": notes[name]}
        for name, hooks in catalog.hooks().items()
    ]


def _files(app: App) -> list[dict[str, str]]:
    """Return the single files of the user's folder, which this command does not run, and why one may not be run."""
    from harness.config.trust import refused
    from harness.contract.loading.single_files import find_files

    return [{"file": str(path), "refused": refused(path)} for path in find_files(app.folder)]


def _broken(app: App) -> list[dict[str, Any]]:
    return [asdict(item.provider) | {"reason": item.reason} for item in app.catalog.broken]


def _slow(app: App) -> list[dict[str, Any]]:
    return [asdict(provider) | {"seconds": round(seconds, 2)} for provider, seconds in app.catalog.slow.items()]
