"""The time to the first line of output: whole processes, the median of several starts."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(*arguments: str, repeats: int = 7) -> float:
    """Return the median wall seconds of `harness ARGUMENTS`, after one start that is not counted."""
    command = [sys.executable, "-m", "harness.cli.main", *arguments]
    found = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - started)
    return statistics.median(found[1:])
