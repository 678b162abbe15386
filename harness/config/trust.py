"""The single files that the user trusts: path and digest, in the user's own configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path

from harness.contract.errors import InputError, MachineError
from harness.contract.loading.single_files import SingleFile, read_file


def trust(file: SingleFile) -> Path:
    """Record that the user trusts a file as it is now; return where.

    Raises:
        MachineError: the record cannot be written.
    """
    path = _record()
    known = _read(path) | {file.path: file.digest}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def refusal(file: SingleFile) -> str:
    """Return why a file is not run; "" if the user trusts it as it is now."""
    stored = _read(_record()).get(file.path)
    if stored == file.digest:
        return ""
    why = "is not trusted" if stored is None else "has changed since you trusted it"
    return f"{_short(file.path)} {why}: read it, then `harness plugin trust {_short(file.path)}`"


def refused(path: Path) -> str:
    """Return why the file of a path is not run; "" if it may be."""
    try:
        return refusal(read_file(path))
    except InputError as error:
        return str(error)


def _short(path: str) -> str:
    """Return a path from the working directory, if it is below it."""
    here = Path(path)
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else path


def _record() -> Path:
    """Return the file of the record. It is outside the study's folder, which may be someone else's."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(home) / "harness" / "trusted_plugins.json"


def _read(path: Path) -> dict[str, str]:
    """Return the record; a file that cannot be read trusts nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
