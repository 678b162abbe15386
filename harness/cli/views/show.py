"""Shows what a study came to: the table, as rich text or JSON, and where everything is."""

from __future__ import annotations

import json
import math
import textwrap
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from harness.cli.app import App
from harness.cli.views.tables import claims_view, fully_supervised, results_view
from harness.study.results.results import Results

if TYPE_CHECKING:
    import pandas as pd


def rows_of(results: Results, heads: bool, units: bool = False) -> list[dict[str, Any]]:
    """The rows of the study's table, of images or of what is diagnosed; none while nothing is confirmed."""
    return _rows(results.table(heads=heads, unit=units))


def show_table(app: App, results: Results, heads: bool, units: bool = False) -> None:
    """Prints the table, and what is missing in it."""
    missing = {name: reason.strip().splitlines()[-1] for name, reason in results.failures().items()}
    rows, console = rows_of(results, heads, units), app.out
    console.print(results_view(results.plan, rows, results.task.classes, missing, console.width))
    if len(results.claims):
        console.print(claims_view(_rows(results.claims), console.width))
    if units:
        console.print(Text(f"AUCs are by {results.task.unit}: its score is the mean of its images'."))
    if not results.finished:
        console.print(Text(f"not finished: {progress_of(results)}", "yellow"))


def show_costs(app: App, results: Results) -> None:
    """Prints the epochs spent, whose labels and masks were read, and how often the test split was opened."""
    from harness.tables.measure.costs import supervision_lines

    costs = costs_of(app, results)
    spent = ", ".join(f"{count} in {stage}" for stage, count in costs["epochs"].items())
    lines = [f"epochs:  {spent}", *(f"ledger:  {line}" for line in supervision_lines(costs["supervision"]))]
    if costs["test_openings"] is not None:
        opened = _times(costs["test_openings"])
        lines.append(f"ledger:  The test split of these data was opened {opened}, by all studies.")
    for line in lines:
        click.echo(textwrap.fill(line, app.out.width, subsequent_indent=" " * 9))


def costs_of(app: App, results: Results) -> dict[str, Any]:
    """What the results cost: epochs by stage, images with labels and masks by stage, openings of the test split."""
    from harness.study.journal.writing import Ledger, digests_of
    from harness.tables.measure.costs import STAGES, supervision

    ended = [(record.spec.stage, record.result) for record in results.records() if record.result]
    ledger = Ledger(app.settings.results / "ledger.jsonl")
    return {
        "epochs": {stage: sum(result.epochs for at, result in ended if at == stage) for stage in STAGES},
        "supervision": supervision(result.ledger for _, result in ended),
        "test_openings": ledger.openings(digests_of(results.plan)),
        "fully_supervised": [item.name for item in results.plan.variants if fully_supervised(item)],
    }


def progress_of(results: Results) -> str:
    """`12 of at most 30 trials have ended`."""
    from harness.cli.views.tables import trials_of

    most = sum(sum(trials_of(results.plan, variant)) for variant in results.plan.variants)
    return f"{sum(record.result is not None for record in results.records())} of {most} trials have ended"


def as_json(results: Results, heads: bool, units: bool = False, **more: Any) -> str:
    """The table and its surroundings as one JSON object; what is undefined is null."""
    plan = results.plan
    value = {
        "study": plan.study,
        "budget": plan.budget,
        "study_id": plan.study_id,
        "demonstration": plan.demonstration,
        "baseline": plan.baseline,
        "finished": results.finished,
        "folder": str(results.folder),
        "classes": list(results.task.classes),
        "rows": rows_of(results, heads, units),
        "claims": _rows(results.claims),
        **({"unit": results.task.unit} if units else {}),
        "failed": results.failures(),
        "skipped": {skip.variant: skip.reason for skip in plan.skipped},
        **more,
    }
    return json.dumps(defined(value), indent=2)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def show_places(app: App, results: Results) -> None:
    """Where the results are, and how to look at them."""
    report = results.folder / "report" / "report.html"
    lines = [f"results: {results.folder}"] + ([f"report:  {report}"] if report.exists() else [])
    lines += ["look:    harness ui (every trial, in MLflow's UI)"]
    lines += [f'         harness.results("{results.plan.study}") (data frames, in Python)']
    for line in lines:
        click.echo(line)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def defined(value: Any) -> Any:
    """The value as JSON has it: NaN and infinity, which it lacks, as null."""
    if isinstance(value, dict):
        return {str(key): defined(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [defined(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
