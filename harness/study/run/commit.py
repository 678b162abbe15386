"""The git commit from which a study was run, asked for in a way that runs no program that the folder names."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

_HARMLESS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.untrackedCache": "false",
}
_FILTERS = re.compile(r"filter\..*\.(clean|smudge|process|required)", re.IGNORECASE | re.DOTALL)


def commit_of(folder: Path) -> str:
    """Return the git commit of `folder`, with `+changes` if files were edited since; "" without a commit.

    `.git/config` may name programs that `git status` runs: a file system monitor, hooks, and filters that prepare
    a file for comparison. All are switched off, submodules are not entered, and nothing is fetched.
    """
    commit = _git(folder, _HARMLESS, "rev-parse", "HEAD")
    if not commit:
        return ""
    names = _git(folder, _HARMLESS, "config", "--name-only", "--null", "--list").split("\0")
    filters = {name: "false" if name.endswith("required") else "" for name in names if _FILTERS.fullmatch(name)}
    changes = _git(folder, _HARMLESS | filters, "status", "--porcelain", "-uno", "--ignore-submodules=all")
    return commit + "+changes" if changes else commit


def _git(folder: Path, settings: Mapping[str, str], *arguments: str) -> str:
    """Return what a git command prints; "" if it fails. Settings are passed by environment: a name may contain `=`."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):  # git is not installed; the commit is optional
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
