"""`harness doctor`: check the machine, and that journal, Optuna and MLflow agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click
from rich.text import Text

from harness.cli.app import App, examples, pass_app
from harness.cli.options import json_option
from harness.cli.rendering.grid import Grid
from harness.cli.streams import emit

_COLOURS = {"ok": "green", "note": "yellow", "wrong": "red"}


@click.command(epilog=examples("harness doctor", "harness doctor --send"))
@click.option("--send", is_flag=True, help="First send MLflow the events that could not be sent before.")
@json_option
@pass_app
def doctor(app: App, send: bool, as_json: bool) -> None:
    """Check the machine, the plugins and the records of every study.

    For each study, compare the trials and their states in the journal, in Optuna and in MLflow, and list the
    differences; the journal is authoritative. The exit code is 1 if anything is wrong.
    """
    from harness.adapters.mlflow.client import in_brief
    from harness.adapters.mlflow.store import Sender, states, unsent
    from harness.adapters.optuna.search import OptunaSampler
    from harness.config.tracking import artifact_root, tracking_uri
    from harness.study.run.doctor import Finding, check_machine, check_study, is_running, trial_states

    settings, uri = app.settings, tracking_uri(app.settings)
    folders = sorted(path.parent for path in settings.results.glob("*/*/journal.jsonl") if "." not in path.parent.name)
    findings = check_machine(settings, app.catalog)

    def optuna_states(folder: Path) -> Mapping[str, str]:
        database = folder / "optuna.db"
        if settings.optuna_url is None and not database.exists():
            return {}
        return trial_states(folder, OptunaSampler(settings.optuna_url or f"sqlite:///{database}").states)

    for folder in folders:
        if send and not is_running(folder):
            sender = Sender(uri, folder, artifact_root(settings))
            try:
                sender.send()
            except Exception as error:  # any error of the store or the network: the other studies are sent
                reason = f"cannot be sent to MLflow: {in_brief(error)}"
                findings.append(Finding("wrong", f"{folder.parent.name}/{folder.name}", reason))
            finally:
                sender.close()
        findings += check_study(folder, optuna_states, lambda at: states(uri, at), lambda at: unsent(uri, at))
    if as_json:
        emit(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Grid("", "about", "finding", keys=2)
        for finding in findings:
            table.add_row(Text(finding.level, _COLOURS[finding.level]), finding.about, finding.message)
        app.show(table)
    click.get_current_context().exit(int(any(finding.level == "wrong" for finding in findings)))
