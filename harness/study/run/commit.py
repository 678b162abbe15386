"""The git commit from which a study was run."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(folder: Path) -> str:
    """Return the git commit of `folder`, with `+changes` if files were edited since; "" without a commit."""
    commit = _git(folder, "rev-parse", "HEAD")
    return commit + "+changes" if commit and _git(folder, "status", "--porcelain", "-uno") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # git is not installed; the commit is optional
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
