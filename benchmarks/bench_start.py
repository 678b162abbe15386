"""The time to the first line of output: whole processes, the median of several starts."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

REPEATS = 7


@dataclass(frozen=True)
class Start:
    """Wall seconds of a process, and of the bare interpreter that was started in turn with it."""

    seconds: float
    bare: float

    @property
    def ratio(self) -> float:
        """Multiple of the bare interpreter's seconds."""
        return self.seconds / self.bare


def command(*arguments: str) -> Start:
    """Measure `harness ARGUMENTS`."""
    return _start("-m", "harness.cli.main", *arguments)


def importing() -> Start:
    """Measure `import harness`."""
    return _start("-c", "import harness")


def _start(*arguments: str) -> Start:
    """Return medians of several starts, after one of each that is not counted."""
    found = [(_seconds(*arguments), _seconds("-c", "pass")) for _ in range(REPEATS + 1)]
    own, bare = zip(*found[1:], strict=True)
    return Start(statistics.median(own), statistics.median(bare))


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started
