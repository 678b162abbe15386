"""Where tracking goes: one SQLite file beside the results, unless the settings name a server or database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.config.settings import Settings


def tracking_uri(settings: Settings) -> str:
    """The URI of the tracking store, as MLflow takes it."""
    return settings.tracking_uri or f"sqlite:///{settings.results.resolve() / 'mlflow.db'}"


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite database, without what its URI asks of the driver; None where it is no file."""
    scheme, _, rest = uri.partition(":///")
    place = rest.partition("?")[0].removeprefix("file:")
    if scheme.partition("+")[0] != "sqlite" or place in ("", ":memory:"):
        return None
    return Path(place)


def artifact_root(settings: Settings) -> Path:
    """Where files logged to a local or database store go; a server has its own place."""
    return settings.results.resolve() / "mlartifacts"
