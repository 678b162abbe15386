"""`harness plugin new`: write a plugin package."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.api.kit.scaffold import PARTS, write_package
from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.cli.rendering.atoms import Words
from harness.cli.streams import emit

_NEW = f"""Write an installable plugin package with a working component of each KIND.

KIND is {", ".join(PARTS)}. The package is a folder NAME in the working directory, with the component's laws, a
study, a CI workflow and a README. Its module is NAME with _ in place of -.
"""


@click.command(help=_NEW, epilog=examples("harness plugin new acme-pools --kind pooling --kind metric"))
@click.argument("name", metavar="NAME")
@click.option("--kind", "kinds", multiple=True, required=True, metavar="KIND", type=click.Choice(PARTS))
@json_option
@pass_app
def new(app: App, name: str, kinds: tuple[str, ...], as_json: bool) -> None:
    """Write a new package."""
    written = write_package(name, kinds, Path())
    if as_json:
        emit(json.dumps({"package": name, "files": [str(path) for path in written]}, indent=2))
        return
    studies = [path.stem for path in written if path.parent.name == "studies"]
    app.show(Words(f"{name}: {len(written)} files are written. Next:"))
    for line in (f"cd {name}", "pip install -e '.[dev]'", f"harness plugin check {name}"):
        click.echo(f"  {line}")
    for study in studies:
        click.echo(f"  harness study run {study}")
