"""The results of a study: leaderboard, claims, costs and places, as text or JSON."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import click
from rich.console import RenderableType

from harness.cli.app import App
from harness.cli.rendering.atoms import Words
from harness.cli.views.leaderboard import claims_view, results_view
from harness.cli.views.numbers import defined
from harness.cli.views.variants import fully_supervised, trials_of
from harness.study.journal.progress import Progress
from harness.study.results.results import Results

if TYPE_CHECKING:
    import pandas as pd


def rows_of(results: Results, heads: bool, units: bool = False) -> list[dict[str, Any]]:
    """Return the rows of the leaderboard, by image or by diagnosed unit; none before anything is confirmed."""
    return _rows(results.table(heads=heads, unit=units))


def show_table(app: App, results: Results, heads: bool, units: bool = False) -> None:
    """Print the leaderboard, the claims, and what is missing."""
    classes = results.task.classes
    titles = results.metrics.titles | {key: key for key in results.not_loaded}
    missing = {name: reason.strip().splitlines()[-1] for name, reason in results.failures().items()}
    parts: list[RenderableType] = [results_view(results.plan, rows_of(results, heads, units), classes, missing, titles)]
    if len(results.claims):
        parts.append(claims_view(_rows(results.claims), results.metrics.all_titles))
    if units:
        parts.append(Words(f"AUC by {results.task.unit}: the score of each is the mean over its images."))
    if not results.finished:
        parts.append(Words(f"not finished: {progress_of(results)}", "yellow"))
    app.show(*parts)


def show_costs(app: App, results: Results) -> None:
    """Print the epochs spent, the labels and masks read, and how often the test split was opened."""
    from harness.tables.measure.costs import supervision_lines

    costs = costs_of(app, results)
    spent = ", ".join(f"{count} in {stage}" for stage, count in costs["epochs"].items())
    lines = [f"epochs:  {spent}", *(f"ledger:  {line}" for line in supervision_lines(costs["supervision"]))]
    if costs["test_openings"] is not None:
        opened = _times(costs["test_openings"])
        lines.append(f"ledger:  The test split of these data was opened {opened}, by all studies.")
    for line in lines:
        click.echo(
            textwrap.fill(
                line, app.out.width, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False
            )
        )


def costs_of(app: App, results: Results) -> dict[str, Any]:
    """Return what the results cost: epochs, labels and masks by stage, and openings of the test split."""
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
    """Return a text such as `12 of 30 trials have ended`."""
    most = sum(sum(trials_of(results.plan, variant)) for variant in results.plan.variants)
    return f"{sum(record.result is not None for record in results.records())} of {most} trials have ended"


def as_json(results: Results, heads: bool, units: bool = False, **more: Any) -> str:
    """Return the results as one JSON object; undefined values are null."""
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
        "notes": Progress(plan, results.state).notes(),
        "skipped": {skip.variant: skip.reason for skip in plan.skipped},
        **more,
    }
    return json.dumps(defined(value), indent=2)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def show_places(app: App, results: Results) -> None:
    """Print where the results are and how to look at them."""
    report = results.folder / "report" / "report.html"
    lines = [f"results: {results.folder}"] + ([f"report:  {report}"] if report.exists() else [])
    lines += ["look:    harness ui (every trial, in MLflow's UI)"]
    lines += [f'         harness.results("{results.plan.study}") (data frames, in Python)']
    for line in lines:
        click.echo(line)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
