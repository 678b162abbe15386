"""The settings of this machine and the installed components, with which the calls of the API work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.config.settings import Settings, load_settings
from harness.config.trust import refusal
from harness.contract.loading.attempts import Attempts
from harness.contract.loading.catalog import Catalog
from harness.contract.loading.single_files import find_files, load_files


@dataclass(frozen=True)
class Session:
    """Settings and components of one or more calls.

    Args:
        settings: folders, databases and what a study may take of this machine.
        catalog: the installed components.
    """

    settings: Settings
    catalog: Catalog

    @classmethod
    def of(cls, folder: Path | None = None, *, files: bool = False) -> Session:
        """Return the session of a folder with its harness.toml; without `folder`, of the working directory.

        Args:
            folder: of harness.toml, and of `plugins/`.
            files: True to run the plugins of single files in `plugins/` that the user trusts.

        Raises:
            InputError: the settings are wrong.
        """
        settings = load_settings(folder)
        catalog = Catalog.discover(settings.disabled, attempts=Attempts(), settings=settings.plugins)
        if files:
            load_files(catalog, find_files(folder or Path.cwd()), refusal)
        return cls(settings, catalog)
