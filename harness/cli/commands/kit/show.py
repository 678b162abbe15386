"""`harness plugin show`: everything that a component declares, its parameters as TOML."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from harness.api.kit.addresses import Item, broken_of, find
from harness.api.kit.described import described
from harness.api.kit.fields import SIDE_PX, receptive_field
from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.cli.streams import emit
from harness.cli.views.components import broken_table
from harness.config.toml import toml


@click.command(epilog=examples("harness plugin show top_fraction", "harness plugin show acme-pools:median --json"))
@click.argument("name", metavar="NAME")
@json_option
@pass_app
def show(app: App, name: str, as_json: bool) -> None:
    """Show parameters with their types, ranges, meanings and defaults, and everything else that is declared.

    NAME is a component, a distribution, or `distribution:component`. The parameters are TOML: copy them into a study.
    """
    items, broken = find(app.catalog, name), broken_of(app.catalog, name)
    rows = [described(item) | _measured(item) for item in items]
    if as_json:
        emit(json.dumps(rows, indent=2))
        return
    for number, row in enumerate(rows):
        click.echo("\n" * (number > 0) + "\n".join(_lines(row, app.out.width)))
    if broken:
        app.show(broken_table(broken))


def _measured(item: Item) -> dict[str, Any]:
    kind, component, _ = item
    return {"receptive_field": receptive_field(component)} if kind == "backbone" else {}


def _lines(row: Mapping[str, Any], width: int) -> Iterator[str]:
    yield f"# {row['kind']} {row['name']}: {row['summary']}"
    yield f"# from {row['plugin']} ({row['distribution']} {row['version']})"
    yield f"use = {toml(row['name'])}"
    for parameter in row["parameters"]:
        yield ""
        yield from _comment(f"{parameter['meaning'] or 'not described'} ({_type(parameter)})", width)
        yield _assigned(parameter)
    if row["space"]:
        yield '\n# searched with `space = "default"`'
        yield "[space]"
        yield from (f"{key} = {toml(value)}" for key, value in row["space"].items())
    yield from _notes(row, width)


def _type(parameter: Mapping[str, Any]) -> str:
    allowed = parameter["range"]
    said = not allowed or allowed in parameter["meaning"] or allowed.startswith("one of")
    return str(parameter["type"]) + ("" if said else f", {allowed}") + (", required" if parameter["required"] else "")


def _assigned(parameter: Mapping[str, Any]) -> str:
    """Return the default as TOML; a comment where a study has to set it, or where it is not set."""
    if parameter["required"]:
        return f"# {parameter['name']} ="
    if parameter["default"] is None:
        return f"# {parameter['name']} = not set"
    return f"{parameter['name']} = {toml(parameter['default'])}"


def _notes(row: Mapping[str, Any], width: int) -> Iterator[str]:
    yield ""
    field = row.get("receptive_field", {})
    texts = {
        "theoretical": "px through the layers (height, width)",
        "effective": f"px with 95 % of the squared gradient at the start, of {SIDE_PX}",
    }
    for key, sides in field.items():
        yield from _comment(f"{key} receptive field: {' x '.join(map(str, sides))} {texts[key]}", width)
    for key in ("needs", "provides"):
        yield from _comment(f"{key}: {', '.join(row[key]) or 'nothing'}", width)
    yield from _comment(f"source: {row['source'] or 'none'}", width)
    titles = {"assumed": "assumed", "refuses": "cannot be trained with", "xfail": "expected failure"}
    for key, title in titles.items():
        for name, text in row[key].items():
            yield from _comment(f"{title}, {name}: {text}", width)


def _comment(text: str, width: int) -> list[str]:
    """Return a text as lines of comment."""
    return textwrap.wrap(
        text, width - 1, initial_indent="# ", subsequent_indent="#   ", break_long_words=False, break_on_hyphens=False
    )
