"""`harness evidence`: what several studies say together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.contract.errors import InputError, nearest

if TYPE_CHECKING:
    from harness.study.results.results import Results
    from harness.tables.compare.joined import Joined


@click.group()
def evidence() -> None:
    """Evidence over several studies: the same variants on other data sets, tested and ranked.

    Everything is computed from the tables that confirmed models left; nothing is trained.
    """


@evidence.command(
    epilog=examples(
        "harness evidence compare gmic_ablation@real mammography",
        "harness evidence compare a b c --baseline gmic --out over_datasets",
        "harness evidence compare a b c --json",
    )
)
@click.argument("studies", metavar="STUDY[@BUDGET]...", nargs=-1, required=True)
@click.option("--baseline", metavar="VARIANT", help="What differences are taken to; without it, the studies' own.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Writes CSV tables and the diagram into a folder."
)
@json_option
@pass_app
def compare(app: App, studies: tuple[str, ...], baseline: str | None, out: Path | None, as_json: bool) -> None:
    """Joins studies by the names of their variants: paired differences, and ranks over data sets.

    Each study's differences to the baseline stand with their interval and p-value over its own patients, p-values
    adjusted over the whole table. With three data sets or more, variants are ranked (Friedman, Nemenyi).
    """
    from harness.cli.views.compared import compared_json, compared_view, write_compared
    from harness.tables.compare.joined import join_studies

    found = _read(app, studies)
    chosen = _baseline(found, baseline)
    tables = {name: _table(name, results, chosen) for name, results in found.items()}
    joined = join_studies(tables, {name: results.plan.dataset_digest for name, results in found.items()})
    _check_shared(joined, found)
    written = write_compared(out, joined) if out else []
    if as_json:
        click.echo(json.dumps(compared_json(joined, chosen, written), indent=2))
        return
    console, notes = app.out, {name: _note(results) for name, results in found.items()}
    console.print(compared_view(joined, chosen, notes, console.width))
    for path in written:
        click.echo(path)


def _read(app: App, studies: tuple[str, ...]) -> dict[str, Results]:
    from harness.study.journal.folders import find_run
    from harness.study.results.results import read_results

    if len(studies) < 2:
        raise InputError(f"{studies[0]}: one study has nothing to be joined with; `harness study show` shows it.")
    found: dict[str, Results] = {}
    for given in studies:
        if given in found:
            raise InputError(f"{given}: stands there twice.")
        name, _, budget = given.partition("@")
        found[given] = read_results(find_run(app.settings.results, name, budget or None), app.catalog)
    return found


def _baseline(found: Mapping[str, Results], given: str | None) -> str:
    own = {name: results.plan.baseline for name, results in found.items()}
    chosen = given or next(iter(own.values()))
    if given is None and len(set(own.values())) > 1:
        told = ", ".join(f"{name}: {baseline or 'none'}" for name, baseline in own.items())
        raise InputError(f"the studies have different baselines ({told}); say which is meant with --baseline.")
    for name, results in found.items():
        names = [variant.name for variant in results.plan.variants]
        if chosen not in names:
            raise InputError(f"{name}: it has no variant {chosen!r} but {', '.join(names)}{nearest(chosen, names)}")
    return chosen


def _table(name: str, results: Results, baseline: str) -> Any:
    """The study's table of comparisons.

    Raises:
        InputError: nothing, or not the baseline, is confirmed; or its tables cannot be compared.
    """
    try:
        table = results.compare(baseline)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    if baseline not in table["variant"].tolist():
        raise InputError(
            f"{name}: {baseline!r} is not confirmed yet; `harness study resume {results.plan.named}` goes on."
        )
    return table


def _check_shared(joined: Joined, found: Mapping[str, Results]) -> None:
    if joined.differences["variant"].nunique() < 2:
        told = "; ".join(f"{name}: {', '.join(v.name for v in r.plan.variants)}" for name, r in found.items())
        raise InputError(f"the studies share no variant beside the baseline ({told}).")


def _note(results: Results) -> str:
    """What a reader must know of a study before its rows: whether it is done, and whether it is meant."""
    notes = ["a demonstration, not a result"] * results.plan.demonstration
    notes += [] if results.finished else ["not finished"]
    return ", ".join(notes)
