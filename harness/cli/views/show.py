"""The results of a study: leaderboard, claims, costs and places, as text or JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any

import click
from rich.console import RenderableType

from harness.cli.app import App
from harness.cli.rendering.atoms import Words
from harness.cli.views.leaderboard import claims_view, results_view
from harness.cli.views.numbers import defined
from harness.cli.views.variants import fully_supervised, trials_of
from harness.contract.tables import OWN_MAP
from harness.study.journal.progress import Progress
from harness.study.results.results import Results
from harness.tables.markdown import records


def rows_of(results: Results, heads: bool, units: bool = False) -> list[dict[str, Any]]:
    """Return the rows of the leaderboard, by image or by diagnosed unit; none before anything is confirmed."""
    return records(results.table(heads=heads, unit=units))


def show_table(app: App, results: Results, heads: bool, units: bool = False) -> None:
    """Print the leaderboard, the claims, and what is missing."""
    classes = results.task.classes
    titles = results.metrics.titles | {key: key for key in results.not_loaded}
    missing = {name: reason.strip().splitlines()[-1] for name, reason in results.failures().items()} | results.left_out
    rows = rows_of(results, heads, units)
    parts: list[RenderableType] = [
        results_view(results.plan, rows, classes, missing, titles, _outline_counts(results) if rows else {})
    ]
    if len(results.claims):
        parts.append(claims_view(records(results.claims), results.metrics.all_titles))
    if units:
        parts.append(Words(f"AUC by {results.task.unit}: the score of each is the mean over its images."))
    if not results.finished:
        parts.append(Words(f"not finished: {progress_of(results)}", "yellow"))
    app.show(*parts)


def _outline_counts(results: Results) -> dict[tuple[str, str], int]:
    """Return (variant, metric) -> number of outlines, or of lesions, of the model's own map on the test split."""
    table = results.localisation
    if not len(table):
        return {}
    own = table[(table["map"] == OWN_MAP) & (table["stratum"] == "all") & (table["class"] == "")]
    counts = own.groupby(["variant", "metric"], as_index=False)["n"].max()
    places = zip(counts["variant"], counts["metric"], counts["n"], strict=True)
    return {(str(variant), str(metric)): int(n) for variant, metric, n in places}


def show_costs(app: App, results: Results) -> None:
    """Print the epochs spent, the labels and masks read, and how often the test split was opened."""
    from harness.tables.measure.costs import supervision_lines

    costs = costs_of(app, results)
    spent = ", ".join(f"{count} in {stage}" for stage, count in costs["epochs"].items())
    lines = [f"epochs:  {spent}", *(f"ledger:  {line}" for line in supervision_lines(costs["supervision"]))]
    if costs["test_openings"] is not None:
        opened = "once" if costs["test_openings"] == 1 else f"{costs['test_openings']} times"
        lines.append(f"ledger:  The test split of these data was opened {opened}, by all studies.")
    _print(app, lines)


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
        "claims": records(results.claims),
        **({"unit": results.task.unit} if units else {}),
        "failed": results.failures(),
        "notes": Progress(plan, results.state).notes(),
        "skipped": {skip.variant: skip.reason for skip in plan.skipped},
        **more,
    }
    return json.dumps(defined(value), indent=2)


def show_places(app: App, results: Results) -> None:
    """Print where the results are and how to look at them."""
    report = results.folder / "report" / "report.html"
    lines = [f"results: {results.folder}"] + ([f"report:  {report}"] if report.exists() else [])
    lines += ["look:    harness ui (every trial, in MLflow's UI)"]
    lines += [f'         harness.results("{results.plan.study}") (data frames, in Python)']
    _print(app, lines)


def _print(app: App, lines: Iterable[str]) -> None:
    """Print lines wrapped below their heads; a path or an identifier is never broken."""
    wrapped = textwrap.TextWrapper(
        app.out.width, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False
    )
    for line in lines:
        click.echo(wrapped.fill(line))
