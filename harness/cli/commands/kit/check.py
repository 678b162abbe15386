"""`harness plugin check`: the laws of a plugin's components, and a short study with each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.cli.rendering.grid import Grid
from harness.contract.errors import InputError

if TYPE_CHECKING:
    from harness.api.kit.checking import Row

_COLOURS = {"pass": "green", "xfail": "yellow", "skipped": "yellow", "note": "yellow", "fail": "red"}


@click.command(
    epilog=examples(
        "harness plugin check acme-pools",
        "harness plugin check acme-pools:median",
        "harness plugin check plugins/mine.py --json",
    )
)
@click.argument("name", metavar="NAME")
@json_option
@pass_app
def check(app: App, name: str, as_json: bool) -> None:
    """Check every law on each component of a plugin, then train it for two epochs in a study.

    NAME is a distribution, a component, `distribution:component`, or a file in ./plugins. A component that breaks a
    law on purpose declares it in `xfail`. The exit code is 1 if a law is broken or a study fails.
    """
    from harness.api.kit.checking import check_plugin

    name = _loaded(app, name)
    rows, seen = [], set[tuple[str, str]]()
    for row in check_plugin(name, app.session):
        if (about := (row.kind, row.component)) not in seen and not as_json:
            seen.add(about)
            app.err.print(Text(f"checking {' '.join(about).strip()} …", "dim"))
        rows.append(row)
    failed = sum(row.verdict == "fail" for row in rows)
    if as_json:
        click.echo(
            json.dumps({"name": name, "passed": not failed, "findings": [asdict(row) for row in rows]}, indent=2)
        )
    else:
        app.show(*check_tables(rows), Text(_summary(rows), "red" if failed else "green"))
    click.get_current_context().exit(int(failed > 0))


def _loaded(app: App, name: str) -> str:
    """Load the user's single files, and return the name of the plugin that a file holds.

    Raises:
        InputError: the file cannot be read, or is not trusted.
    """
    from harness.config.trust import refusal
    from harness.contract.loading.single_files import load_files, read_file

    if not name.endswith(".py"):
        app.load_files()
        return name
    if reason := refusal(read_file(Path(name))):
        raise InputError(reason)
    load_files(app.catalog, [Path(name)], refusal)
    return Path(name).name


def check_tables(rows: Sequence[Row]) -> list[Grid]:
    """Return a table of verdicts for each component, and one of what was seen where a law does not simply hold."""
    verdicts: dict[str, Grid] = {}
    details = Grid("component", "law", "what was seen", "how to mend", keys=2)
    for row in rows:
        about = f"{row.kind} {row.component}".strip()
        table = verdicts.setdefault(about, Grid("law", "verdict", title=about))
        table.add_row(row.law, Text(row.verdict, _COLOURS[row.verdict]))
        if row.seen:
            details.add_row(about, Text(row.law, _COLOURS[row.verdict]), row.seen, row.mend)
    return [*verdicts.values(), *([details] if len(details) else [])]


def _summary(rows: Sequence[Row]) -> str:
    if not rows:
        return "no components: hooks alone have no laws"
    counts = Counter(row.verdict for row in rows)
    words = {"pass": "hold", "xfail": "fail as declared", "skipped": "are skipped", "note": "are notes", "fail": "fail"}
    return f"{len(rows)} checks: " + ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key])
