"""Which version of the user's repository a study was run from."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(folder: Path) -> str:
    """The git commit of `folder`, with `+changes` where files were edited since; "" where there is none."""
    commit = _git(folder, "rev-parse", "HEAD")
    return commit + "+changes" if commit and _git(folder, "status", "--porcelain", "-uno") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git here: a commit is nice to have
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
