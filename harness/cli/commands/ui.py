"""`harness ui`: MLflow's web page on the tracking database, for this machine only."""

from __future__ import annotations

import os
import socket
import sys

import click

from harness.cli.app import App, examples, pass_app
from harness.contract.errors import InputError

ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
"""No telemetry is sent, and no jobs for language models are scheduled."""


@click.command(epilog=examples("harness ui", "harness ui --port 5001"))
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@pass_app
def ui(app: App, port: int) -> None:
    """Open MLflow's UI on 127.0.0.1 until Ctrl-C.

    Each study is an experiment. To compare variants, select two runs with `stage = variant` and press Compare.
    Trials and confirmations are their child runs.
    """
    from harness.config.tracking import artifact_root, tracking_uri

    uri = tracking_uri(app.settings)
    if uri.startswith("http"):
        app.out.print(f"The runs are on the server {uri}: open it in a browser.")
        return
    if uri.startswith("sqlite") and not (app.settings.results / "mlflow.db").exists() and not app.settings.tracking_uri:
        raise InputError(f"{app.settings.results / 'mlflow.db'}: no run was tracked yet; run a study first.")
    if not _free(port):
        raise InputError(f"port {port} is taken; try --port {port + 1}")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", uri, "--artifacts-destination", artifact_root(app.settings).as_uri()]
    click.echo(f"http://127.0.0.1:{port} (Ctrl-C ends it)")
    # Replace this process, so that a signal that ends the one ends the other.
    os.execve(sys.executable, command, os.environ | ENVIRONMENT)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
