"""Settings of this machine: harness.toml, harness.local.toml, HARNESS_DATA. Not part of a trial's identity."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from harness.config.database_urls import sqlite_file
from harness.config.merge import merge
from harness.config.schema import validate
from harness.config.settings_files import FILE, LOCAL_FILE, read_tables
from harness.config.strict import Strict
from harness.contract.errors import InputError, Problems, nearest

DATA_VARIABLE = "HARNESS_DATA"
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Folders, databases and compute resources of this machine.

    Args:
        data: root of the user's data; no path of a manifest may leave it.
        results: one folder per study, and the default databases.
        cache: decoded images.
        tracking_uri: MLflow's server or database; None for results/mlflow.db.
        optuna_url: a database for all studies; None for one SQLite file per study.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        threads: torch threads of one trial.
        concurrent: trials that run at the same time.
        ray_address: address of a running Ray cluster; empty starts Ray on this machine. Its workers must reach
            `data`, `cache` and `results` under the same paths.
        gpus_per_trial: GPUs that a trial requests from Ray; None for an equal share of those available.
        stall_s: seconds without a report after which a trial is ended; None for ten median epochs, at least 600 s.
        disabled: addresses of plugins and components that are not loaded.
        plugins: settings of plugins by address, as written: a value `env:NAME` is read by the plugin's process.
    """

    data: Path
    results: Path
    cache: Path
    tracking_uri: str | None = None
    optuna_url: str | None = None
    device: str = "auto"
    threads: int = 1
    concurrent: int = 1
    ray_address: str = ""
    gpus_per_trial: float | None = None
    stall_s: float | None = None
    disabled: tuple[str, ...] = ()
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class _Compute(Strict):
    device: str = "auto"
    threads: Annotated[int, Field(ge=1)] = 1
    concurrent: Annotated[int, Field(ge=1)] = 1
    ray_address: str = ""
    gpus_per_trial: Annotated[float, Field(ge=0)] | None = None
    stall_s: Annotated[float, Field(gt=0)] | None = None

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
            raise ValueError(f"{device!r} is not one of auto, cpu, mps, cuda, cuda:0, cuda:1, …")
        return device


class _Tracking(Strict):
    uri: str | None = None


class _Search(Strict):
    optuna_url: str | None = None


class _Plugins(Strict):
    """`disabled`, and a table of settings for each plugin that has some."""

    model_config = ConfigDict(extra="allow")
    disabled: list[str] = Field(default_factory=list)

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The settings of plugins, by address."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _are_tables(self) -> _Plugins:
        for name, table in (self.model_extra or {}).items():
            if not isinstance(table, Mapping):
                hint = nearest(name, ["disabled"])
                raise ValueError(f"{name!r} is neither `disabled` nor a table [plugins.{name}] of settings{hint}")
        return self


class _File(Strict):
    data: str = "data"
    results: str = "results"
    cache: str = "cache"
    tracking: _Tracking = _Tracking()
    search: _Search = _Search()
    compute: _Compute = _Compute()
    plugins: _Plugins = _Plugins()


def load_settings(folder: Path | None = None) -> Settings:
    """Load the settings of a folder: harness.toml, overridden by harness.local.toml and HARNESS_DATA.

    Relative paths start at that folder. Without any file the defaults hold.

    Raises:
        InputError: a file cannot be read, or anything in it is wrong; every mistake at once.
    """
    folder = Path.cwd() if folder is None else folder
    tables = read_tables(folder)
    mistakes: list[str] = []
    for name, table in tables.items():
        problems = Problems(name)
        validate(_File, table, problems)
        mistakes += problems.messages
    if mistakes:
        raise InputError("\n".join(mistakes))
    file = _File.model_validate(merge(tables[FILE], tables[LOCAL_FILE]))
    settings = _settings(file, folder)
    _check_databases(settings)
    return settings


def _settings(file: _File, folder: Path) -> Settings:
    return Settings(
        data=_below(folder, os.environ.get(DATA_VARIABLE) or file.data),
        results=_below(folder, file.results),
        cache=_below(folder, file.cache),
        tracking_uri=_absolute(file.tracking.uri, folder),
        optuna_url=_absolute(file.search.optuna_url, folder),
        device=file.compute.device,
        threads=file.compute.threads,
        concurrent=file.compute.concurrent,
        ray_address=file.compute.ray_address,
        gpus_per_trial=file.compute.gpus_per_trial,
        stall_s=file.compute.stall_s,
        disabled=tuple(file.plugins.disabled),
        plugins=file.plugins.tables,
    )


def _below(folder: Path, text: str) -> Path:
    return Path(os.path.abspath(folder / Path(text).expanduser()))


def _absolute(url: str | None, folder: Path) -> str | None:
    """Make the path of a relative SQLite URL absolute, because a worker runs in another folder."""
    if url is None or not url.startswith("sqlite:///") or url == "sqlite:///:memory:":
        return url
    place = url.removeprefix("sqlite:///")
    form = "file:" if place.startswith("file:") else ""  # SQLite's own URI, of the same file
    return f"sqlite:///{form}{_below(folder, place.removeprefix(form))}"


def _check_databases(settings: Settings) -> None:
    tracking = settings.tracking_uri or f"sqlite:///{settings.results / 'mlflow.db'}"
    if settings.optuna_url is not None and _database(settings.optuna_url) == _database(tracking):
        raise InputError(
            f"{FILE}: search.optuna_url: MLflow uses the same database (tracking.uri), and both keep their version "
            "in a table of one name; use two databases"
        )


def _database(url: str) -> tuple[object, ...]:
    """Return what identifies a database: the driver, user and password are left out."""
    parts = urlsplit(url)
    scheme = parts.scheme.split("+")[0]
    scheme = "postgresql" if scheme == "postgres" else scheme
    if (file := sqlite_file(url)) is not None:
        return scheme, os.path.realpath(file)
    schema = parse_qs(parts.query).get("options")
    try:
        port = parts.port or _PORTS.get(scheme)
    except ValueError as error:
        raise InputError(f"{FILE}: {url!r} is not the URL of a database: {error}") from error
    return scheme, parts.hostname, port, parts.path.strip("/"), str(schema)
