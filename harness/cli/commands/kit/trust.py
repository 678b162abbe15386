"""`harness plugin trust`: allow harness to run a file of ./plugins as it is now."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.cli.rendering.atoms import Words
from harness.cli.streams import emit


@click.command(epilog=examples("harness plugin trust plugins/mine.py"))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@json_option
@pass_app
def trust(app: App, file: Path, as_json: bool) -> None:
    """Allow harness to run FILE as it is now. The file itself is not run.

    A plugin may be a single file in ./plugins. Only commands that need components run it, and only if you trust it. Its
    digest is stored in your own configuration, so a file that came with someone's study is not trusted, and neither
    is a changed one.
    """
    from harness.config.trust import trust as store
    from harness.contract.loading.single_files import FOLDER, read_file

    found = read_file(file)
    record = store(found)
    if as_json:
        emit(json.dumps({"file": found.path, "digest": found.digest, "record": str(record)}, indent=2))
        return
    app.show(Words(f"{file} is trusted as it is now (sha256 {found.digest[:16]}, in {record})"))
    if Path(found.path).parent != (app.folder / FOLDER).resolve():
        app.show(Words(f"It is loaded once it is in {FOLDER}/ of the folder in which you run studies.", "yellow"))
