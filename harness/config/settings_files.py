"""harness.toml and harness.local.toml as they stand; by itself, as the command line asks it and needs no pydantic."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.config.merge import merge
from harness.contract.errors import InputError

FILE, LOCAL_FILE = "harness.toml", "harness.local.toml"


def read_tables(folder: Path) -> dict[str, Mapping[str, Any]]:
    """What the two files of a folder say, by their names; the later one wins. A file that is not there says nothing.

    Raises:
        InputError: a file cannot be read, or is no TOML.
    """
    return {name: _read(folder / name) for name in (FILE, LOCAL_FILE)}


def disabled_plugins(folder: Path) -> tuple[str, ...]:
    """The entry points that `[plugins] disabled` names; none where that cannot be understood.

    What is wrong is told by `load_settings`, which every command but `--help` comes to.
    """
    try:
        tables = read_tables(folder)
    except InputError:
        return ()
    plugins = merge(tables[FILE], tables[LOCAL_FILE]).get("plugins")
    found = plugins.get("disabled") if isinstance(plugins, Mapping) else None
    return tuple(found) if isinstance(found, list) and all(isinstance(name, str) for name in found) else ()


def _read(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: is no TOML: {error}") from error
