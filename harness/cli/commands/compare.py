"""`harness compare`: the same variants over several studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.cli.streams import emit

if TYPE_CHECKING:
    from harness.study.results.results import Results


@click.command(
    epilog=examples(
        "harness compare gmic_ablation@real mammography",
        "harness compare a b c --baseline gmic --out over_datasets",
        "harness compare a b c --json",
    )
)
@click.argument("studies", metavar="STUDY[@BUDGET]...", nargs=-1, required=True)
@click.option(
    "--baseline",
    metavar="VARIANT",
    help="Take differences to this variant; by default, to the baseline of the studies.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write CSV tables and the diagram into a folder."
)
@json_option
@pass_app
def compare(app: App, studies: tuple[str, ...], baseline: str | None, out: Path | None, as_json: bool) -> None:
    """Compare variants over several studies: paired differences to a baseline, and ranks.

    Studies are joined by the names of their variants; nothing is trained. Each difference has its interval and
    p-value over the patients of its own study. p-values are adjusted over the whole table. With three data sets or
    more, variants are ranked (Friedman, Nemenyi).
    """
    from harness.api.compare import common_baseline, join, read_all
    from harness.cli.views.compare import compared_json, compared_view, write_compared

    found = read_all(studies, app.session)
    chosen = common_baseline(found, baseline)
    joined = join(found, chosen)
    written = write_compared(out, joined) if out else []
    if as_json:
        emit(json.dumps(compared_json(joined, chosen, written), indent=2))
        return
    app.show(compared_view(joined, chosen, {name: _note(results) for name, results in found.items()}))
    for path in written:
        click.echo(path)


def _note(results: Results) -> str:
    """Return the cautions about a study: a demonstration, not finished."""
    notes = ["a demonstration, not a result"] * results.plan.demonstration
    notes += [] if results.finished else ["not finished"]
    return ", ".join(notes)
