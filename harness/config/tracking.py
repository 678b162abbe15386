"""The tracking store: one SQLite file in the results folder, unless the settings name a server or database."""

from __future__ import annotations

from pathlib import Path

from harness.config.settings import Settings


def tracking_uri(settings: Settings) -> str:
    """Return the URI of the tracking store, as MLflow takes it."""
    return settings.tracking_uri or f"sqlite:///{settings.results.resolve() / 'mlflow.db'}"


def artifact_root(settings: Settings) -> Path:
    """Return the folder of files that are logged to a local or database store; a server uses its own."""
    return settings.results.resolve() / "mlartifacts"
