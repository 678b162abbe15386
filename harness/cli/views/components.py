"""Installed components, and the plugins that could not be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.text import Text

from harness.cli.rendering.atoms import Words
from harness.cli.rendering.grid import Grid
from harness.contract.components import KINDS, Component, parameters
from harness.contract.loading.catalog import Catalog
from harness.contract.provider import Broken, Provider

Item = tuple[str, Component[Any], Provider]


def component_table(items: Sequence[Item], kind: str | None = None) -> Grid:
    """Return a row for each component. Parameters may be left to `--json` in a list of all kinds.

    Args:
        items: kind, component and provider of each.
        kind: the only kind in `items`, or None.
    """
    titles = ("kind", "name", "what it is", "parameters", "from")
    spare = [] if kind else ["parameters"]
    table = Grid(*titles, keys=2, spare=spare, grouped=True, elsewhere="`harness plugin list KIND` or --json")
    for own, component, provider in items:
        names = ", ".join(parameters(component.build))
        table.add_row(own, component.name, component.summary, names, provider.plugin)
    return table


def broken_table(broken: Sequence[Broken]) -> Grid:
    """Return a row for each plugin that could not be loaded, with the reason."""
    table = Grid("not loaded", "distribution", "reason")
    for item in broken:
        origin = f"{item.provider.distribution} {item.provider.version}"
        table.add_row(Text(item.provider.plugin, "yellow"), origin, item.reason)
    return table


def hooks_view(catalog: Catalog) -> Group:
    """Return a line for each plugin that observes studies or adds commands, with its hooks."""
    offering = {f"harness_{kind}s" for kind in KINDS}
    lines = []
    for name, hooks in catalog.hooks().items():
        if others := [hook for hook in hooks if hook not in offering]:
            lines.append(Words(f"{catalog.providers[name]} has the hooks {', '.join(others)}"))
    return Group(*lines)


def notes_view(items: Sequence[Item]) -> Group:
    """Return each component's source, and the choices made where the source is silent."""
    lines = []
    for _, component, _ in items:
        if component.source:
            lines.append(Words(f"{component.name}: {component.source}"))
        lines += [Words(f"{component.name}, assumed: {key}: {why}") for key, why in component.assumed.items()]
    return Group(*lines)
