"""The tables of harness.toml and harness.local.toml, unchecked: the command line reads them without pydantic."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.config.merge import merge
from harness.contract.errors import InputError

FILE, LOCAL_FILE = "harness.toml", "harness.local.toml"


def read_tables(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Read the two files of a folder, by name; the later one takes precedence. A missing file is an empty table.

    Raises:
        InputError: a file cannot be read, or is not valid TOML.
    """
    return {name: _read(folder / name) for name in (FILE, LOCAL_FILE)}


def disabled_plugins(folder: Path) -> tuple[str, ...]:
    """Return the entry points that `[plugins] disabled` names; none if the files are invalid.

    `load_settings`, which every command except `--help` calls, reports what is wrong.
    """
    try:
        tables = read_tables(folder)
    except InputError:
        return ()
    plugins = merge(tables[FILE], tables[LOCAL_FILE]).get("plugins")
    found = plugins.get("disabled") if isinstance(plugins, Mapping) else None
    return tuple(found) if isinstance(found, list) and all(isinstance(name, str) for name in found) else ()


def plugin_tables(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the tables `[plugins.NAME]` by name; none if the files are invalid."""
    try:
        tables = read_tables(folder)
    except InputError:
        return {}
    plugins = merge(tables[FILE], tables[LOCAL_FILE]).get("plugins")
    items = plugins.items() if isinstance(plugins, Mapping) else ()
    return {name: table for name, table in items if isinstance(table, Mapping)}


def _read(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: not valid TOML: {error}") from error
