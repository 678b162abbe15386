"""Where tracking goes: one SQLite file beside the results, unless the settings name a server or database."""

from __future__ import annotations

from pathlib import Path

from harness.config.settings import Settings


def tracking_uri(settings: Settings) -> str:
    """The URI of the tracking store, as MLflow takes it."""
    return settings.tracking_uri or f"sqlite:///{settings.results.resolve() / 'mlflow.db'}"


def artifact_root(settings: Settings) -> Path:
    """Where files logged to a local or database store go; a server has its own place."""
    return settings.results.resolve() / "mlartifacts"
